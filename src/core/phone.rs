//! Telephone numbers in E.164. They are dialled, stored and handed to the vendor, and shown to nobody.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A telephone number: `+` and 8 to 15 digits (ITU-T E.164). Shows itself masked: `+1******0123`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(heapless::String<16>);

/// Why a text is not a telephone number that may be dialled. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPhone {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Letters, an extension, a second plus sign.
    #[error("contains something other than digits, spaces and the marks ( ) - . after an optional leading +")]
    NotDigits,
    /// With a `+`, but not E.164.
    #[error("has a + but not 8 to 15 digits, the first of them not 0, after it")]
    NotE164,
    /// Without a `+`, and not one of the forms the default country knows.
    #[error("has no + and is not a 10-digit number of the default country US; write it with + and country code")]
    NotNational,
    /// Without a `+`, in a country whose national form is not known here.
    #[error("has no +; only the default country US has a national form, write it with + and country code")]
    NeedsCountryCode,
}

impl Phone {
    /// Reads a number as people and back ends write it. A leading `+` is kept and the rest checked as E.164; without one,
    /// `country` `"US"` takes ten digits `[2-9]xx[2-9]xxxxxx` or eleven starting `1[2-9]`.
    ///
    /// # Errors
    /// When the number cannot be dialled as it stands; nothing is guessed.
    pub fn parse(text: &str, country: &str) -> Result<Self, BadPhone> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadPhone::Empty);
        }
        let (international, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let mut digits = heapless::String::<15>::new();
        for c in rest.chars() {
            match c {
                '0'..='9' => digits.push(c).map_err(|_| if international { BadPhone::NotE164 } else { BadPhone::NotNational })?,
                ' ' | '(' | ')' | '-' | '.' | '\u{a0}' => {}
                _ => return Err(BadPhone::NotDigits),
            }
        }
        let d = digits.as_bytes();
        let prefix = match d {
            [first, ..] if international => {
                if (8..=15).contains(&d.len()) && *first != b'0' {
                    "+"
                } else {
                    return Err(BadPhone::NotE164);
                }
            }
            [] => return Err(if international { BadPhone::NotE164 } else { BadPhone::NotNational }),
            _ if country != "US" => return Err(BadPhone::NeedsCountryCode),
            [b'2'..=b'9', _, _, b'2'..=b'9', _, _, _, _, _, _] => "+1",
            [b'1', b'2'..=b'9', _, _, _, _, _, _, _, _, _] => "+",
            _ => return Err(BadPhone::NotNational),
        };
        let mut number = heapless::String::new();
        number.push_str(prefix).and_then(|()| number.push_str(&digits)).map_err(|_| BadPhone::NotE164)?;
        Ok(Self(number))
    }

    /// The number itself, to be dialled or stored. Nothing that logs or publishes calls this.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, tail) =
            (self.0.get(..2).unwrap_or_default(), self.0.get(self.0.len().saturating_sub(4)..).unwrap_or_default());
        write!(f, "{head}******{tail}")
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In full: records and the roster hold numbers.
impl Serialize for Phone {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

/// From E.164, or the national form of the United States.
impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text, "US").map_err(|why| serde::de::Error::custom(format_args!("the phone number {why}")))
    }
}

/// Fewest digits that are taken for a telephone number. Twilio's error codes have five.
const FEWEST_DIGITS: usize = 7;

/// Text of others without telephone numbers: every run of seven or more digits, however they are spaced, becomes `******`.
#[must_use]
pub fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(char::is_numeric) {
        let (before, run) = rest.split_at(start);
        let spaced = |c: char| c.is_numeric() || c.is_whitespace() || matches!(c, '-' | '.' | '(' | ')' | '/');
        let (run, after) = run.split_at(run.find(|c| !spaced(c)).unwrap_or(run.len()));
        let digits = run.trim_end_matches(|c: char| !c.is_numeric());
        out.push_str(before);
        out.push_str(if digits.chars().filter(|c| c.is_numeric()).count() < FEWEST_DIGITS { digits } else { "******" });
        out.push_str(run.get(digits.len()..).unwrap_or_default());
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_completed_or_refused_never_guessed() {
        let us = |text| Phone::parse(text, "US").map(|p| p.expose().to_owned());
        assert_eq!(us("+923282828885").unwrap(), "+923282828885");
        assert_eq!(us("(212) 555-0123").unwrap(), "+12125550123");
        assert_eq!(us("1 212 555 0123").unwrap(), "+12125550123");
        assert_eq!(us("+49 30 901820").unwrap(), "+4930901820");
        for (text, why) in [
            ("", BadPhone::Empty),
            ("   ", BadPhone::Empty),
            ("+", BadPhone::NotE164),
            ("+1234567", BadPhone::NotE164),
            ("+1234567890123456", BadPhone::NotE164),
            ("+0123456789", BadPhone::NotE164),
            ("212-555-0123 x5", BadPhone::NotDigits),
            ("212-555-0123,5", BadPhone::NotDigits),
            ("++12125550123", BadPhone::NotDigits),
            ("٢١٢٥٥٥٠١٢٣", BadPhone::NotDigits),
            ("923282828885", BadPhone::NotNational),
            ("1125550123", BadPhone::NotNational),
            ("2121550123", BadPhone::NotNational),
            ("21255501234", BadPhone::NotNational),
            ("()", BadPhone::NotNational),
            ("5550123", BadPhone::NotNational),
        ] {
            assert_eq!(us(text), Err(why), "{text}");
        }
        assert_eq!(Phone::parse("030901820", "DE"), Err(BadPhone::NeedsCountryCode));
    }

    #[test]
    fn a_number_shows_itself_masked() {
        let phone = Phone::parse("+12125550123", "US").unwrap();
        assert_eq!(format!("{phone} {phone:?}"), "+1******0123 +1******0123");
    }
}
