//! A QR code as the path of an inline SVG: no image is fetched, and no script draws one.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// Modules of white around it (ISO/IEC 18004, 9.1).
const QUIET: i32 = 4;

/// What a page draws.
pub(super) struct Drawing {
    /// Modules on each side, the white around it included.
    pub(super) side: i32,
    /// The `d` of a path that fills the dark ones.
    pub(super) path: String,
}

/// `None` for what no code can hold.
pub(super) fn draw(text: &str) -> Option<Drawing> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _infallible = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Some(Drawing { side: code.size() + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn a_code_has_its_corners_and_white_around_it() {
        let drawing = draw("otpauth://totp/x").unwrap();
        assert!((29..80).contains(&drawing.side));
        assert!(drawing.path.starts_with("M4 4h1v1h-1z") && !drawing.path.contains("M3 "));
        assert!(draw(&"x".repeat(5_000)).is_none());
    }
}
