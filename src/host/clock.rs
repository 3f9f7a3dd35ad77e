//! The clocks. Everything else is handed a [`Now`].
//!
//! # When the wall clock is believed
//! A gateway without a battery-backed clock starts in the past: at the kernel's epoch, or at the last time that
//! fake-hwclock or systemd-timesyncd had saved. Ages computed then are wrong by as long as the power was off, so alarms and
//! calls wait. The wall clock is believed when
//!
//! 1. it is not before [`RELEASED`], ever, and
//! 2. systemd-timesyncd has synchronised it since boot (`/run/systemd/timesync/synchronized` exists), or
//! 3. it is not before the newest time that was stored while the clock was believed (unless that is more than a year ahead, and so
//!    was wrong itself), and either
//!    - a hardware clock agrees with it within [`RTC_TOLERANCE`] (`since_epoch` of some `/sys/class/rtc/*`): a gateway with a
//!      battery is right from the start and offline, while a saved time that was restored agrees with no hardware clock, or
//!    - there is no timesyncd (`/run/systemd/timesync` does not exist): a container, a desktop, chrony. Nothing tells more
//!      then. With chrony and without a hardware clock, an old time that was restored is believed until chrony steps it;
//!      such gateways do better with timesyncd.
//!
//! A synchronised clock is believed against the store, so that one future time that got in does not silence it for years.
//! Once believed, the clock stays believed while it does not fall below the floor. Evidence is looked for once a second at
//! most. What follows from a step of the wall clock is the core's affair; that a machine which sleeps is none is seen to here, by
//! counting its sleep as time that passed.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crate::core::time::{Mono, Now, UnixMillis};

/// No correct clock is before this version's release: 2026-11-01T00:00:00Z.
pub const RELEASED: UnixMillis = UnixMillis(1_793_491_200_000);

/// A hardware clock shows whole seconds and drifts a few seconds a week.
pub const RTC_TOLERANCE: Duration = Duration::from_secs(30);

/// A stored time that lies further ahead than this was stored by a clock that was wrong: it silences nobody.
const STORED_WRONGLY: Duration = Duration::from_secs(400 * 86_400);

/// Smaller differences between wall and monotonic clock are slewing and rounding.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Both clocks of this machine.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    root: PathBuf,
    newest_stored: UnixMillis,
    belief: Belief,
    looked: Option<Mono>,
    last: Option<(Duration, UnixMillis)>,
    /// For how long the machine had been up when it was first read here, less what the monotonic clock showed.
    up_before: Option<Duration>,
    asleep: Duration,
}

impl Clock {
    /// Starts the monotonic clock at zero. `newest_stored` is the newest wall time that was stored while the clock was
    /// trusted, in this life or an earlier one.
    #[must_use]
    pub fn new(newest_stored: Option<UnixMillis>) -> Self {
        Self {
            start: instant(),
            root: PathBuf::from("/"),
            newest_stored: newest_stored.unwrap_or(RELEASED),
            belief: Belief::None,
            looked: None,
            last: None,
            up_before: None,
            asleep: Duration::ZERO,
        }
    }

    /// The time, and whether it may be believed.
    pub fn now(&mut self) -> Now {
        self.reading(instant().saturating_duration_since(self.start), wall())
    }

    fn reading(&mut self, awake: Duration, wall: UnixMillis) -> Now {
        let left_behind = self.last.replace((awake, wall)).is_none_or(|(awake_before, wall_before)| {
            wall.since(wall_before) > awake.saturating_sub(awake_before) + SHORTEST_SLEEP
        });
        if left_behind {
            self.count_sleep(awake);
        }
        let mono = Mono(awake + self.asleep);
        Now { mono, wall, trusted: self.trusts(mono, wall) }
    }

    /// The monotonic clock stands still while the machine sleeps; the time since boot does not.
    fn count_sleep(&mut self, awake: Duration) {
        let Some(up) = uptime(&self.root) else { return };
        let before = *self.up_before.get_or_insert(up.saturating_sub(awake));
        let asleep = up.saturating_sub(awake).saturating_sub(before);
        if asleep >= self.asleep + SHORTEST_SLEEP {
            self.asleep = asleep;
        }
    }

    fn trusts(&mut self, mono: Mono, wall: UnixMillis) -> bool {
        let stale = self.looked.is_none_or(|looked| mono >= looked + LOOK_EVERY);
        if !self.belief.holds(wall, self.newest_stored) && stale {
            self.looked = Some(mono);
            self.belief = Evidence::look(&self.root).belief(wall);
        }
        self.belief.holds(wall, self.newest_stored)
    }
}

/// Why the wall clock is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    None,
    /// By a hardware clock, or for want of anything that speaks against it.
    Plausible,
    Synchronised,
}

impl Belief {
    fn holds(self, wall: UnixMillis, newest_stored: UnixMillis) -> bool {
        match self {
            Self::None => false,
            Self::Plausible => wall >= RELEASED && (wall >= newest_stored || wall + STORED_WRONGLY < newest_stored),
            Self::Synchronised => wall >= RELEASED,
        }
    }
}

/// What the machine tells of its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Evidence {
    timesyncd: bool,
    synchronised: bool,
    rtc: Option<UnixMillis>,
}

impl Evidence {
    fn look(root: &Path) -> Self {
        let timesync = root.join("run/systemd/timesync");
        let read = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("since_epoch")).ok()?.trim().parse().ok();
        let clocks = std::fs::read_dir(root.join("sys/class/rtc")).into_iter().flatten().flatten();
        // The newest one: a clock without a battery beside it counts from its own epoch.
        let rtc = clocks.filter_map(read).max().and_then(|secs: i64| secs.checked_mul(1000)).map(UnixMillis);
        Self { timesyncd: timesync.exists(), synchronised: timesync.join("synchronized").exists(), rtc }
    }

    fn belief(self, wall: UnixMillis) -> Belief {
        let agrees = self.rtc.is_some_and(|rtc| wall.since(rtc).max(rtc.since(wall)) <= RTC_TOLERANCE);
        if self.synchronised {
            Belief::Synchronised
        } else if agrees || !self.timesyncd {
            Belief::Plausible
        } else {
            Belief::None
        }
    }
}

/// Time since boot, sleep included.
fn uptime(root: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(root.join("proc/uptime")).ok()?;
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
}

/// The monotonic clock, for those who only measure how long something takes.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub fn instant() -> Instant {
    Instant::now()
}

/// The wall clock, believed or not.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn wall() -> UnixMillis {
    let signed = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    UnixMillis(match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => signed(after),
        Err(before) => -signed(before.duration()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixMillis = UnixMillis(RELEASED.0 + 1_000_000_000);

    struct Machine {
        root: tempfile::TempDir,
        clock: Clock,
    }

    fn machine(newest_stored: Option<UnixMillis>) -> Machine {
        let root = tempfile::tempdir().unwrap();
        let mut clock = Clock::new(newest_stored);
        clock.root = root.path().to_owned();
        Machine { root, clock }
    }

    impl Machine {
        fn put(&self, path: &str, text: &str) {
            let path = self.root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn timesyncd(&self) {
            std::fs::create_dir_all(self.root.path().join("run/systemd/timesync")).unwrap();
        }

        fn trusted(&mut self, mono_secs: u64, wall: UnixMillis) -> bool {
            self.clock.reading(Duration::from_secs(mono_secs), wall).trusted
        }
    }

    #[test]
    fn a_gateway_without_a_battery_is_believed_once_it_is_synchronised() {
        let mut pi = machine(Some(T));
        pi.timesyncd();
        assert!(!pi.trusted(0, T + Duration::from_secs(60)), "restored by fake-hwclock, later than the store");
        pi.put("run/systemd/timesync/synchronized", "");
        assert!(!pi.trusted(0, T + Duration::from_secs(60)), "looked for once a second");
        assert!(pi.trusted(1, T + Duration::from_secs(86_400)));
    }

    #[test]
    fn a_battery_backed_clock_is_believed_offline_unless_it_disagrees() {
        let mut gateway = machine(Some(T));
        gateway.timesyncd();
        gateway.put("sys/class/rtc/rtc0/since_epoch", "12\n");
        assert!(!gateway.trusted(0, T + Duration::from_secs(60)), "a clock whose battery is empty");
        gateway.put("sys/class/rtc/rtc1/since_epoch", &format!("{}\n", T.0 / 1000 + 80));
        assert!(gateway.trusted(1, T + Duration::from_secs(60)));
    }

    #[test]
    fn without_timesyncd_only_the_floor_speaks() {
        let mut container = machine(Some(T));
        assert!(!container.trusted(0, UnixMillis(0)));
        assert!(!container.trusted(1, T - Duration::from_secs(1)), "older than what was stored");
        assert!(container.trusted(2, T));
        assert!(!container.trusted(3, T - Duration::from_secs(1)), "set back");
        let mut fresh = machine(None);
        assert!(!fresh.trusted(0, RELEASED - Duration::from_millis(1)));
        assert!(fresh.trusted(1, RELEASED));
    }

    #[test]
    fn a_synchronised_clock_is_believed_against_a_future_time_in_the_store() {
        let mut gateway = machine(Some(T + Duration::from_secs(10 * 365 * 86_400)));
        gateway.put("run/systemd/timesync/synchronized", "");
        assert!(gateway.trusted(0, T));
        assert!(!gateway.trusted(1, UnixMillis(0)));
    }

    #[test]
    fn a_stored_time_that_lies_years_ahead_silences_nobody() {
        let years = |n: u64| Duration::from_secs(n * 365 * 86_400);
        assert!(machine(Some(T + years(9))).trusted(0, T));
        assert!(!machine(Some(T + years(1))).trusted(0, T));
    }

    #[test]
    fn sleep_is_time_that_passed_and_a_clock_that_is_set_is_not() {
        let mut machine = machine(None);
        let mut read = |up: &str, awake, wall_secs| {
            machine.put("proc/uptime", &format!("{up} 3.14\n"));
            machine.clock.reading(Duration::from_secs(awake), T + Duration::from_secs(wall_secs)).mono.0.as_secs()
        };
        assert_eq!(read("500.25", 0, 0), 0);
        assert_eq!(read("510.25", 10, 10), 10);
        assert_eq!(read("520.25", 20, 3_620), 20, "set forward by an hour");
        assert_eq!(read("530.25", 30, 30), 30, "and back");
        assert_eq!(read("4140.25", 40, 3_640), 3_640, "an hour of sleep");
        assert_eq!(read("4150.25", 50, 3_650), 3_650);
        assert_eq!(read("nonsense", 60, 9_999), 3_660, "not to be known");
    }

    #[test]
    fn the_clocks_of_this_machine_go_forward() {
        let mut clock = Clock::new(None);
        let (first, second) = (clock.now(), clock.now());
        assert!(second.mono >= first.mono);
        assert!(first.wall > UnixMillis(1_700_000_000_000));
    }
}
