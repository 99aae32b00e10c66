//! Writes the schemas of all events to `shared/contracts/schemas`, and those of all that the shop is told to
//! `shared/contracts/announcements/schemas`, where they are checked in.

use std::{error::Error, fs, path::Path};

use loyalty_contracts::schema::{announcements, documents};

fn main() -> Result<(), Box<dyn Error>> {
    for (folder, documents) in
        [("schemas", documents()?), ("announcements/schemas", announcements()?)]
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        fs::create_dir_all(&folder)?;
        for document in documents {
            fs::write(folder.join(document.file_name), document.text)?;
        }
    }
    Ok(())
}
