//! Embeds the bundled scenarios: every YAML file in `scenarios/`, so that adding one is adding a file.

use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../scenarios");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files: Vec<_> = fs::read_dir(&root)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    let rows = files.iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        format!("({name:?}, include_str!({:?})),", file.display().to_string())
    });
    let rows: String = rows.collect();
    fs::write(
        Path::new(&env::var("OUT_DIR")?).join("scenarios.rs"),
        format!("&[{rows}]"),
    )?;
    Ok(())
}
