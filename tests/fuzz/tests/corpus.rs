//! Plays what the fuzzer kept: inputs that reach what others do not, and what was found once.

use std::fs;
use std::path::Path;

/// Bytes that a directory of the corpus may have, so that the repository stays small.
const CORPUS_BYTES_MAX: u64 = 64 * 1024;

#[test]
fn every_input_of_the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in fuzz::TARGETS {
        let mut bytes_in_all = 0;
        let files = fs::read_dir(corpus.join(target.name)).unwrap_or_else(|error| {
            panic!("{}: {error}; make it with tests/fuzz/run --keep", target.name)
        });
        for file in files {
            let path = file.expect("the directory can be read").path();
            let bytes = fs::read(&path).expect("the file can be read");
            bytes_in_all += bytes.len() as u64;
            let played = std::panic::catch_unwind(|| (target.run)(&bytes));
            assert!(played.is_ok(), "{} fails with {}", target.name, path.display());
        }
        assert!((1..=CORPUS_BYTES_MAX).contains(&bytes_in_all), "{}: {bytes_in_all}", target.name);
        // No bytes at all are an input, too.
        (target.run)(&[]);
    }
}

#[test]
fn every_directory_of_the_corpus_has_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for directory in fs::read_dir(corpus).expect("it is in the repository") {
        let name = directory.expect("it can be read").file_name();
        assert!(name.to_str().is_some_and(|name| fuzz::target(name).is_some()), "{name:?}");
    }
}
