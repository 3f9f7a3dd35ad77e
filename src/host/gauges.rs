//! The gauges of this machine, as far as it has any: room on the disk, its errors and its wear, temperature, supply. They may
//! block, on a disk that hangs or a firmware that is slow: never in the main loop.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{major, minor, statvfs};

use crate::core::gateway::Gateway;

/// What no sensor that works shows, °C.
const ABSURD: fn(f64) -> bool = |degrees| !(-40.0..=150.0).contains(&degrees);

/// Reads all of them.
#[must_use]
pub fn read(state_dir: &Path) -> Gateway {
    below(Path::new("/"), state_dir)
}

fn below(root: &Path, state_dir: &Path) -> Gateway {
    let disk = statvfs(state_dir).ok();
    let device = block_device(root, state_dir);
    Gateway {
        disk_free_bytes: disk.as_ref().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        disk_size_bytes: disk.as_ref().map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
        disk_errors: device.as_deref().and_then(|device| ext4_errors(root, device)),
        disk_worn: device.as_deref().and_then(is_worn),
        written_bytes: written(root),
        temperature_c: hottest(root),
        undervoltage: undervoltage(root),
    }
}

/// The directory of the device, or of the partition, that holds the file system.
fn block_device(root: &Path, state_dir: &Path) -> Option<PathBuf> {
    let device = fs::metadata(state_dir).ok()?.dev();
    fs::canonicalize(root.join(format!("sys/dev/block/{}:{}", major(device), minor(device)))).ok()
}

fn ext4_errors(root: &Path, device: &Path) -> Option<u64> {
    number(&root.join("sys/fs/ext4").join(device.file_name()?).join("errors_count"))
}

/// `PRE_EOL_INFO` of JEDEC's eMMC: 1 normal, 2 when 80 % of the spare blocks are used, 3 when 90 % are.
fn is_worn(device: &Path) -> Option<bool> {
    let of = |device: &Path| text(&device.join("device/pre_eol_info"));
    let said = of(device).or_else(|| of(device.parent()?))?;
    hexadecimal(&said).filter(|info| *info != 0).map(|info| info >= 2)
}

fn written(root: &Path) -> Option<u64> {
    let io = text(&root.join("proc/self/io"))?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

fn hottest(root: &Path) -> Option<f64> {
    let zones = fs::read_dir(root.join("sys/class/thermal")).ok()?.flatten();
    let zones = zones.filter(|zone| zone.file_name().to_string_lossy().starts_with("thermal_zone"));
    let degrees = zones.filter_map(|zone| Some(number::<i32>(&zone.path().join("temp"))? as f64 / 1000.0));
    degrees.filter(|degrees| !ABSURD(*degrees)).max_by(f64::total_cmp)
}

/// A Raspberry Pi's firmware tells it in bit 0 of `get_throttled`; the kernel's driver, which clears what the firmware
/// remembers, in an alarm.
fn undervoltage(root: &Path) -> Option<bool> {
    let sensors = fs::read_dir(root.join("sys/class/hwmon")).into_iter().flatten().flatten().map(|sensor| sensor.path());
    let mut alarms = sensors.filter(|sensor| text(&sensor.join("name")).is_some_and(|name| name == "rpi_volt"));
    let alarm = alarms.find_map(|sensor| number::<u8>(&sensor.join("in0_lcrit_alarm"))).map(|alarm| alarm != 0);
    let throttled = text(&root.join("sys/devices/platform/soc/soc:firmware/get_throttled"));
    let now = throttled.and_then(|bits| hexadecimal(&bits)).map(|bits| bits & 1 == 1);
    alarm.max(now)
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

fn number<N: FromStr>(path: &Path) -> Option<N> {
    text(path)?.parse().ok()
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A machine made of files.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn read(&self) -> Gateway {
            below(self.0.path(), self.0.path())
        }
    }

    #[test]
    fn this_machine_has_a_disk_and_the_rest_may_be_absent() {
        let read = Machine::new().read();
        let (free, size) = (read.disk_free_bytes.unwrap(), read.disk_size_bytes.unwrap());
        assert!(0 < free && free <= size, "{free} of {size}");
        let rest = Gateway { disk_free_bytes: None, disk_size_bytes: None, ..read };
        assert_eq!(rest, Gateway::default());
        assert!(super::read(Path::new("/")).written_bytes.is_some());
    }

    #[test]
    fn the_hottest_zone_counts_and_a_sensor_that_is_not_there_does_not() {
        let machine = Machine::new();
        machine.put("sys/class/thermal/thermal_zone0/temp", "48312\n");
        machine.put("sys/class/thermal/thermal_zone1/temp", "61000\n");
        machine.put("sys/class/thermal/thermal_zone2/temp", "-274000\n");
        machine.put("sys/class/thermal/thermal_zone3/temp", "200000\n");
        machine.put("sys/class/thermal/thermal_zone4/temp", "nonsense");
        machine.put("sys/class/thermal/cooling_device0/temp", "99000\n");
        assert_eq!(machine.read().temperature_c, Some(61.0));
    }

    #[test]
    fn an_undervoltage_is_told_by_firmware_or_driver() {
        let machine = Machine::new();
        machine.put("sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
        machine.put("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n");
        assert_eq!(machine.read().undervoltage, None, "another chip's");
        machine.put("sys/class/hwmon/hwmon1/name", "rpi_volt\n");
        machine.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
        assert_eq!(machine.read().undervoltage, Some(false));
        machine.put("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n");
        assert_eq!(machine.read().undervoltage, Some(false), "once, and not now");
        machine.put("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
        assert_eq!(machine.read().undervoltage, Some(true));
        machine.put("sys/devices/platform/soc/soc:firmware/get_throttled", "0\n");
        machine.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
        assert_eq!(machine.read().undervoltage, Some(true));
    }

    #[test]
    fn the_flash_tells_of_errors_and_wear() {
        let machine = Machine::new();
        let device = fs::metadata(machine.0.path()).unwrap().dev();
        machine.put("sys/devices/mmc/block/mmcblk0/mmcblk0p2/dev", "");
        machine.put("sys/fs/ext4/mmcblk0p2/errors_count", "7\n");
        let links = machine.0.path().join("sys/dev/block");
        fs::create_dir_all(&links).unwrap();
        let link = links.join(format!("{}:{}", major(device), minor(device)));
        symlink("../../devices/mmc/block/mmcblk0/mmcblk0p2", link).unwrap();
        assert_eq!((machine.read().disk_errors, machine.read().disk_worn), (Some(7), None));
        for (info, worn) in [("0x00", None), ("0x01", Some(false)), ("0x02", Some(true)), ("0x03", Some(true))] {
            machine.put("sys/devices/mmc/block/mmcblk0/device/pre_eol_info", info);
            assert_eq!(machine.read().disk_worn, worn, "{info}");
        }
    }
}
