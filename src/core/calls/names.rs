//! The names of calls.

use crate::core::id::{CallSid, DriverId};

/// Mints `call_sid`s: `EL_{driver}_{gateway}-{nonce}{n}`.
#[derive(Debug)]
pub struct Names {
    gateway: String,
    nonce: String,
    next: u64,
}

impl Names {
    /// Room that the driver's id leaves, of a call_sid's 128 characters.
    const DRIVER_MAX: usize = 48;
    const GATEWAY_MAX: usize = 24;

    /// `nonce` must differ between any two starts of the daemon.
    #[must_use]
    pub fn new(gateway: &str, nonce: &str) -> Self {
        Self { gateway: plain(gateway, Self::GATEWAY_MAX), nonce: plain(nonce, 12), next: 0 }
    }

    /// The next name, unlike any before.
    #[expect(
        clippy::expect_used,
        reason = "the parts are plain characters and at most 3 + 48 + 1 + 24 + 1 + 12 + 1 + 20 = 110 long"
    )]
    pub fn next(&mut self, driver: &DriverId) -> CallSid {
        self.next = self.next.saturating_add(1);
        let driver = plain(driver, Self::DRIVER_MAX);
        let text = format!("EL_{driver}_{}-{}-{}", self.gateway, self.nonce, self.next);
        CallSid::new(&text).expect("a call_sid of bounded plain parts is valid")
    }
}

/// The vendor's filters give `:` and `|` a meaning, MQTT `/ + #`: only letters, digits, `_` and `-` stay.
fn plain(text: &str, max: usize) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' }).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_bounded_and_never_used_twice() {
        let mut names = Names::new("yard 7/ö", "k3j9x2");
        let driver = DriverId::new("DR:001|é").unwrap();
        assert_eq!(names.next(&driver).as_str(), "EL_DR-001--_yard-7---k3j9x2-1");
        assert_eq!(names.next(&driver).as_str(), "EL_DR-001--_yard-7---k3j9x2-2");
        let mut longest = Names::new(&"g".repeat(200), &"n".repeat(200));
        longest.next = u64::MAX - 1;
        assert!(longest.next(&DriverId::new(&"d".repeat(64)).unwrap()).len() <= 128);
    }
}
