//! What errors have to say.

use std::fmt::Display;

/// An error says what was expected, what was found, where, and what to do. `what` is how its text begins,
/// `place` any part of it.
///
/// # Panics
///
/// If it does not.
///
/// ```
/// let text = "crop: expected at least 1 sample, got 0 in the configuration; correct the setting";
/// clapp_testing::assert_says(text, "crop: expected at least 1", "the configuration");
/// ```
#[track_caller]
pub fn assert_says(error: &(impl Display + ?Sized), what: &str, place: &str) {
    let text = error.to_string();
    assert!(text.starts_with(what), "expected an error about {what}, got: {text}");
    for part in ["expected ", ", got ", "; ", place] {
        assert!(text.contains(part), "expected {part:?} in: {text}");
    }
}
