//! What the headers of an answer say.

use core::time::Duration;
use std::time::SystemTime;

use reqwest::header::{DATE, HeaderMap};

/// Longest wait that is taken from an answer's header.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The vendor's clock in Unix seconds, when it says it.
pub(super) fn date(headers: &HeaderMap) -> Option<i64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    i64::try_from(date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// How long the answer asks to wait: `retry-after-ms`, `retry-after` in seconds or as a date, `x-ratelimit-reset` as Unix
/// seconds (the headers that the vendor's SDK reads), at most an hour. A point in time is measured from the answer's own
/// `date`, because a gateway's clock may be wrong.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let date = |name: &str| text(name).and_then(|text| httpdate::parse_http_date(text).ok());
    let until = |then: SystemTime| then.duration_since(date("date")?).ok();
    number("retry-after-ms")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
        .or_else(|| date("retry-after").and_then(until))
        .or_else(|| {
            let reset = number("x-ratelimit-reset").map(Duration::from_secs)?;
            SystemTime::UNIX_EPOCH.checked_add(reset).and_then(until)
        })
        .map(|wait| wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_from_every_header_that_names_one() {
        let wait = |pairs: &[(&'static str, &'static str)]| {
            retry_after(&pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect())
        };
        let secs = |s| Some(Duration::from_secs(s));
        const DATE: (&str, &str) = ("date", "Fri, 21 Nov 2025 04:00:00 GMT");
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after-ms", "1500"), ("retry-after", "9")]), Some(Duration::from_millis(1500)));
        assert_eq!(wait(&[("retry-after", " 2 ")]), secs(2));
        assert_eq!(wait(&[("retry-after", "Fri, 21 Nov 2025 04:00:30 GMT"), DATE]), secs(30));
        assert_eq!(wait(&[("retry-after", "Fri, 21 Nov 2025 04:00:30 GMT")]), None, "nothing to measure from");
        assert_eq!(wait(&[("x-ratelimit-reset", "1763697660"), DATE]), secs(60));
        assert_eq!(wait(&[("x-ratelimit-reset", "18446744073709551615"), DATE]), None);
        assert_eq!(wait(&[("retry-after", "86400")]), Some(LONGEST_WAIT));
        for odd in ["", "-1", "soon", "1e9"] {
            assert_eq!(wait(&[("retry-after", odd)]), None, "{odd}");
        }
    }
}
