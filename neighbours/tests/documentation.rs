//! The examples in the documentation of the integrations.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::Path;

#[test]
fn every_example_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    for file in fs::read_dir(root.join("../src/integrations/examples")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(list.contains(&format!("\n    {name}\n")), "{name}");
    }
}
