//! The files by which a desktop knows the program agree with it and with each other.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use client::APP_ID;

/// Sizes of the icon's pictures in pixels, as the hicolor theme has them.
const SIZES: [u32; 8] = [16, 24, 32, 48, 64, 128, 256, 512];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn desktop() -> String {
    read(&format!("packaging/linux/{APP_ID}.desktop"))
}

fn metainfo() -> String {
    read(&format!("packaging/linux/{APP_ID}.metainfo.xml"))
}

fn icons() -> PathBuf {
    root().join("packaging/linux/icons/hicolor")
}

/// Returns the value of a key of the desktop file.
fn key(name: &str) -> String {
    let text = desktop();
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&format!("{name}=")));
    let value = values.next().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(values.next(), None, "{name} once");
    value.to_owned()
}

#[test]
fn the_desktop_knows_the_program_by_one_name() {
    // the name of the window itself is read by `cargo windows`
    assert_eq!(key("StartupWMClass"), APP_ID);
    assert_eq!(key("Icon"), APP_ID);
    let metainfo = metainfo();
    for part in [
        format!("<id>{APP_ID}</id>"),
        format!("<launchable type=\"desktop-id\">{APP_ID}.desktop</launchable>"),
        format!("<icon type=\"stock\">{APP_ID}</icon>"),
    ] {
        assert!(metainfo.contains(&part), "{part}");
    }
}

#[test]
fn links_lead_to_the_program() {
    assert_eq!(key("MimeType"), "x-scheme-handler/iirs;");
    assert_eq!(key("Exec"), "iirs %u");
    assert!(metainfo().contains("<mediatype>x-scheme-handler/iirs</mediatype>"));
    assert!(metainfo().contains("<binary>iirs</binary>"));
    assert!(env!("CARGO_BIN_EXE_iirs").ends_with("/iirs"));
}

#[test]
fn this_version_is_the_newest_in_the_list() {
    let metainfo = metainfo();
    let (_, newest) = metainfo.split_once("<release version=\"").unwrap();
    assert_eq!(newest.split_once('"').unwrap().0, env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_icon_is_there_in_every_size() {
    for size in SIZES {
        let picture = icons().join(format!("{size}x{size}/apps/{APP_ID}.png"));
        let bytes = fs::read(&picture).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{size}");
        // width and height lead the first chunk
        let sides = [&bytes[16..20], &bytes[20..24]];
        let sides = sides.map(|side| u32::from_be_bytes(side.try_into().unwrap()));
        assert_eq!(sides, [size; 2]);
    }
    for drawing in
        [format!("scalable/apps/{APP_ID}.svg"), format!("symbolic/apps/{APP_ID}-symbolic.svg")]
    {
        assert!(fs::read_to_string(icons().join(drawing)).unwrap().starts_with("<svg "));
    }
}

#[test]
fn the_package_holds_all_of_it() {
    let manifest = read("client/Cargo.toml");
    let sizes = SIZES.map(|size| format!("{size}x{size}/apps/{APP_ID}.png"));
    let drawings =
        [format!("scalable/apps/{APP_ID}.svg"), format!("symbolic/apps/{APP_ID}-symbolic.svg")];
    for icon in sizes.iter().chain(&drawings) {
        let folder = icon.rsplit_once('/').unwrap().0;
        let row = format!(
            "[\"../packaging/linux/icons/hicolor/{icon}\", \"usr/share/icons/hicolor/{folder}/\", \"644\"],"
        );
        assert!(manifest.contains(&row), "{row}");
    }
    for (file, folder) in [("desktop", "applications"), ("metainfo.xml", "metainfo")] {
        let row =
            format!("[\"../packaging/linux/{APP_ID}.{file}\", \"usr/share/{folder}/\", \"644\"],");
        assert!(manifest.contains(&row), "{row}");
    }
}

#[test]
fn who_made_the_icons_and_the_font_is_said_in_the_packages() {
    let licence = read("client/assets/icons/LICENSE");
    let copyright = read("packaging/debian/copyright");
    for holder in ["2026 Lucide Icons and Contributors", "2013-present Cole Bemis"] {
        assert!(licence.contains(holder) && copyright.contains(holder), "{holder}");
    }
    assert!(copyright.contains("2012-2016 The Mozilla Foundation"));
    for manifest in ["client/Cargo.toml", "server/Cargo.toml"] {
        assert!(read(manifest).contains("[\"../packaging/debian/copyright\", "), "{manifest}");
    }
}
