//! The build script of all three programs: `IIRS_VERSION` is the version with commit and day, as in
//! `0.1.0 (a1b2c3d4e5f6, 2026-11-28)`; outside of the repository, or without git, the version alone.

use std::path::Path;
use std::process::Command;

fn main() {
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let version = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=IIRS_VERSION={version}");
    println!("cargo::rerun-if-changed=Cargo.toml");
}

fn commit() -> Option<String> {
    // a copy without its history may lie in the repository of something else
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"])?;
    for file in ["HEAD", "logs/HEAD", "packed-refs", &branch] {
        let path = git(&["rev-parse", "--git-path", file])?;
        // what is not there would count as changed each time
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["log", "-1", "--no-show-signature", "--abbrev=12", "--format=%h, %cs"])
}

/// Runs git in the program's folder, as Cargo does with this script.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.trim().to_owned())
}
