//! Writes the schemas of all events to `shared/contracts/schemas`, where they are checked in.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    fs::create_dir_all(&folder)?;
    for document in loyalty_contracts::schema::documents()? {
        fs::write(folder.join(document.file_name), document.text)?;
    }
    Ok(())
}
