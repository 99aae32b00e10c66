//! Writes the API's `OpenAPI` document to `functions/redeem-points/openapi.json`, where it is checked in.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    fs::write(file, loyalty_redeem_points::openapi::text()?)?;
    Ok(())
}
