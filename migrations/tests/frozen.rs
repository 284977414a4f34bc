//! Released steps and fixtures never change: a store out there was written, and half migrated, by just these bytes.
//!
//! A new version adds its own file and fixture here. A failure means that a released one was edited: put it
//! back (`git checkout`), and make what you want in a new version.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// SHA-256 of each file of a released version, as `sha256sum` prints it.
const RELEASED: [(&str, &str); 6] = [
    ("src/v1.rs", "bfe1cf903ec2a27b91e7ba0585d74363cb85dee29c19ea8e6c08d2d4becbfda4"),
    ("fixtures/v1.hex", "ccdfacaf148bb773455b08cfa430009515832f6cfbd3a1a2c2257ee012cb0fb4"),
    ("src/v2.rs", "a1c471961508d49c9e52efe102143a225e12102307411a4ac5164a7adeffaf93"),
    ("fixtures/v2.hex", "b70e64596a2435a9881f8a9cb5a187cdff58d60f16275f39cc772bc029aa2afe"),
    ("src/v3.rs", "b6b23b390163e50efc3b06462cb903687cacfa0d3b9d4f3a33a6a086afb88472"),
    ("fixtures/v3.hex", "f7039dc3f90c12f9a95b74e2c0312278529b69c4614db3e08e6048609191b936"),
];

fn digest(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let digest = Sha256::digest(fs::read(path).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn released_steps_and_fixtures_are_what_was_released() {
    for (file, released) in RELEASED {
        assert_eq!(
            digest(file),
            released,
            "migrations/{file} was changed; see the head of this file"
        );
    }
}

#[test]
fn every_version_is_released_with_its_step_and_its_fixture() {
    let mut versions = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        versions.extend(
            name.strip_prefix('v').and_then(|it| it.strip_suffix(".rs")).map(str::to_owned),
        );
    }
    assert_eq!(versions.len(), migrations::VERSION as usize);
    for version in versions {
        for file in [format!("src/v{version}.rs"), format!("fixtures/v{version}.hex")] {
            assert!(
                RELEASED.iter().any(|(released, _)| *released == file),
                "{file} is not in RELEASED"
            );
        }
    }
}
