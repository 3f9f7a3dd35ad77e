//! The machine under us: what it shows of itself, and what of that is worth a reason in health.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::Mono;

/// With less room than this the disk is low: the store may still have to grow to its limit.
pub const DISK_LOW: u64 = 200 << 20;
/// With so much it no longer is.
pub const DISK_LOW_NO_MORE: u64 = 220 << 20;

/// From here on it is hot, °C: a Raspberry Pi begins to slow itself down at 80 (its documentation, "Frequency management and
/// thermal control"), and few industrial gateways are made for more.
pub const HOT: f64 = 80.0;
/// Below this it no longer is.
pub const HOT_NO_MORE: f64 = 75.0;

/// For so long health speaks of an under-voltage: it lasts for moments, and comes again.
pub const UNDERVOLTAGE_FOR: Duration = Duration::from_secs(600);

/// What was read of the machine; what it does not show is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Room that is left to us on the file system of the state directory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// Its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_size_bytes: Option<u64>,
    /// Errors that this file system has counted since it was last repaired (ext4 does).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_errors: Option<u64>,
    /// The flash below it says that its spare blocks are running out (eMMC does, SD cards do not).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_worn: Option<bool>,
    /// What this process has had written to disk since its start, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_bytes: Option<u64>,
    /// The hottest place that is measured, °C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    /// The supply is below what the machine needs (a Raspberry Pi says so).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undervoltage: Option<bool>,
}

/// What was read last, and what is wrong by it. What is wrong stays so until it is clearly right again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    last: Gateway,
    is_low: bool,
    is_hot: bool,
    undervoltage_until: Option<Mono>,
}

impl Watch {
    /// Takes what was read.
    pub fn take(&mut self, read: Gateway, now: Mono) {
        self.last = read;
        self.is_low = read.disk_free_bytes.is_some_and(|free| free < if self.is_low { DISK_LOW_NO_MORE } else { DISK_LOW });
        self.is_hot = read.temperature_c.is_some_and(|degrees| degrees >= if self.is_hot { HOT_NO_MORE } else { HOT });
        if read.undervoltage == Some(true) {
            self.undervoltage_until = Some(now + UNDERVOLTAGE_FOR);
        }
    }

    /// What was read last.
    #[must_use]
    pub const fn last(&self) -> Gateway {
        self.last
    }

    /// What is wrong, as in health.
    pub fn reasons(&self, now: Mono) -> impl Iterator<Item = &'static str> {
        [
            (self.is_low, "disk_low"),
            (self.last.disk_errors.is_some_and(|errors| errors > 0), "disk_errors"),
            (self.last.disk_worn == Some(true), "disk_worn"),
            (self.is_hot, "hot"),
            (self.undervoltage_until.is_some_and(|until| now < until), "undervoltage"),
        ]
        .into_iter()
        .filter_map(|(wrong, name)| wrong.then_some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Mono = Mono(Duration::from_secs(1_000));

    fn reasons(watch: &mut Watch, read: Gateway) -> Vec<&'static str> {
        watch.take(read, T);
        watch.reasons(T).collect()
    }

    #[test]
    fn a_machine_that_shows_nothing_has_nothing_wrong() {
        assert!(reasons(&mut Watch::default(), Gateway::default()).is_empty());
    }

    #[test]
    fn what_hovers_about_a_threshold_is_said_once() {
        let mut watch = Watch::default();
        let mut at = |free_mib: u64, degrees| {
            let read = Gateway { disk_free_bytes: Some(free_mib << 20), temperature_c: Some(degrees), ..Gateway::default() };
            reasons(&mut watch, read)
        };
        assert!(at(200, 79.9).is_empty());
        assert_eq!(at(199, 80.0), ["disk_low", "hot"]);
        assert_eq!(at(219, 75.0), ["disk_low", "hot"]);
        assert!(at(220, 74.9).is_empty());
        assert!(at(201, 79.0).is_empty());
    }

    #[test]
    fn an_undervoltage_is_remembered_for_a_while() {
        let mut watch = Watch::default();
        let read = |undervoltage| Gateway { undervoltage: Some(undervoltage), ..Gateway::default() };
        assert!(reasons(&mut watch, read(false)).is_empty());
        assert_eq!(reasons(&mut watch, read(true)), ["undervoltage"]);
        assert_eq!(reasons(&mut watch, read(false)), ["undervoltage"]);
        assert_eq!(watch.reasons(T + UNDERVOLTAGE_FOR).count(), 0);
    }

    #[test]
    fn errors_and_wear_are_told_as_long_as_they_are_counted() {
        let mut watch = Watch::default();
        let bad = Gateway { disk_errors: Some(3), disk_worn: Some(true), ..Gateway::default() };
        assert_eq!(reasons(&mut watch, bad), ["disk_errors", "disk_worn"]);
        assert!(reasons(&mut watch, Gateway { disk_errors: Some(0), disk_worn: Some(false), ..Gateway::default() }).is_empty());
    }
}
