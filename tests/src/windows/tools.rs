//! Programs of the system that this needs.

use std::env;

use anyhow::bail;

/// Programs, and the Debian package each comes in.
const NEEDED: [(&str, &str); 4] =
    [("Xvfb", "xvfb"), ("openbox", "openbox"), ("xdotool", "xdotool"), ("import", "imagemagick")];

/// Libraries that a window loads when it starts, and fonts for what people write.
const BESIDES: &str = "libxkbcommon-x11-0 libxkbcommon0 libx11-xcb1 libxcursor1 libxi6 libxrandr2 \
                       fonts-dejavu-core fonts-noto-cjk fonts-noto-color-emoji";

/// Checks that all of them are there; `here` needs neither a display nor a window manager.
///
/// # Errors
/// Names what is missing and how to install it.
pub(super) fn check(here: bool) -> anyhow::Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |tool: &str| env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    let needed = if here { &NEEDED[2..] } else { &NEEDED[..] };
    let missing: Vec<_> = needed.iter().filter(|(tool, _)| !is_there(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let tools = missing.iter().map(|(tool, _)| *tool).collect::<Vec<_>>().join(", ");
    let packages = missing.iter().map(|(_, package)| *package).collect::<Vec<_>>().join(" ");
    bail!(
        "{tools} not found; on Debian and Ubuntu install what is needed with\n  \
         sudo apt-get install --no-install-recommends {packages} {BESIDES}"
    );
}
