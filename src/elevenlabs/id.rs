//! The vendor's identifiers.

/// Longest identifier that is taken from an answer.
const LONGEST: usize = 128;

/// Whether a text can be an identifier of the vendor: short, and nothing that would not stand in a path or a log line.
pub(super) fn is_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@'))
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_short_and_fit_for_a_path() {
        assert!(is_id("conv_9601kaf71jfne4d9syfynwc35hc9") && is_id("a1b2@10.0.0.1"));
        for text in ["", "..", "a/b", "a b", "a?b", "ä", &"x".repeat(129)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
