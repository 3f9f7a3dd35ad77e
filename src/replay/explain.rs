//! Findings in the words of a dispatcher, with the comparisons that decided.

use core::fmt::Write;
use core::time::Duration;

use super::watch::Trail;
use super::{clock, lasting, metres};
use crate::core::geo::Metres;
use crate::core::separation::{self, Comparison, Finding, FindingEvent, Settings, Verdict, ViolationKind};
use crate::core::time::UnixMillis;
use crate::formats::iso8601;

/// Comparisons shown of a long row: so many from its start, and as many from its end.
const SHOWN: usize = 4;

/// What a rule asks for.
struct Rule {
    /// Why this one and not the usual.
    why: &'static str,
    clear: Metres,
    samples: usize,
    lasting: Duration,
    /// Whether a tractor counts that is only taken to be parked where it was last heard.
    held_too: bool,
}

/// Several lines, each ended.
#[must_use]
pub fn explain(finding: &Finding, trail: &Trail, settings: &Settings) -> String {
    let Finding { tractor, trailer, at, received, decided_by, .. } = finding;
    let mut text = String::new();
    let headline = match (finding.event, finding.kind) {
        (FindingEvent::Opened, Some(ViolationKind::LeftBehind)) => format!("{tractor} left {trailer} behind"),
        (FindingEvent::Opened, Some(ViolationKind::TrailerMovingAlone)) => format!("{trailer} moves without {tractor}"),
        (FindingEvent::Opened, Some(ViolationKind::TrailerMovedFromDrop)) => {
            format!("{trailer} moves without {tractor} from where it had been dropped")
        }
        (FindingEvent::Opened, Some(ViolationKind::LeftWithoutTrailer)) => format!("{tractor} left without {trailer}"),
        (FindingEvent::Opened, None) => format!("{tractor} and {trailer} came apart"),
        (FindingEvent::Suspected, _) => format!("{tractor} may have left {trailer}, which is silent: suspected only"),
        (FindingEvent::Closed, _) => format!("over: {tractor} and {trailer}"),
        (FindingEvent::DroppedOk, _) => format!("{tractor} left {trailer} where it may be left"),
    };
    let day = iso8601::write(*at, 0);
    let _ = writeln!(text, "{} {} UTC  {headline}  [{}]", day.get(..10).unwrap_or_default(), clock(*at), finding.violation_id);
    match finding.event {
        FindingEvent::Opened | FindingEvent::DroppedOk => apart(&mut text, finding, trail, settings),
        FindingEvent::Suspected => {
            let far = Metres(separation::SUSPECTED_M);
            let _ = writeln!(
                text,
                "  {tractor} is {} from where {trailer} last reported, more than {}, and {trailer} should have reported since",
                metres(finding.distance_m),
                metres(far)
            );
        }
        FindingEvent::Closed => together(&mut text, finding, trail, settings),
    }
    let by = clock(decided_by.ts);
    let _ = writeln!(text, "  decided by the report of {} for {by}, received {}", decided_by.unit, clock(*received));
    text
}

fn apart(text: &mut String, finding: &Finding, trail: &Trail, settings: &Settings) {
    let so_far = || trail.comparisons.range(..=finding.at).map(|(_, c)| c);
    let never_joined = finding.kind == Some(ViolationKind::LeftWithoutTrailer);
    let near = Metres(separation::NEAR_M);
    let last = so_far().rev().find(|c| c.verdict == Verdict::Together || (never_joined && c.distance <= near));
    if let Some(last) = last {
        let (what, reach) = if never_joined {
            ("near its trailer", near)
        } else {
            ("together", Metres(settings.rig_length_m.0 + settings.together_m.0))
        };
        let (at, distance) = (clock(last.at), metres(last.distance));
        let _ = writeln!(text, "  {at}  last {what}: {distance} from each other ({} at most)", metres(reach));
    }
    let since: Vec<&Comparison> = so_far().filter(|c| last.is_none_or(|last| c.at > last.at)).collect();
    let rules = rules(finding, settings);
    let row = |rule: &Rule| -> Vec<&Comparison> {
        let counts = |c: &Comparison| c.verdict != Verdict::Vetoed && c.clear >= rule.clear && (c.bracketed || rule.held_too);
        since.iter().copied().filter(|c| counts(c)).collect()
    };
    let met = rules.iter().find(|rule| {
        let row = row(rule);
        row.len() >= rule.samples && span(&row) >= rule.lasting
    });
    vetoed(text, finding, &since);
    let Some(rule) = met.or(rules.first()) else { return };
    let row = row(rule);
    if row.is_empty() {
        let _ = writeln!(text, "  {} was silent when {} left", finding.trailer, finding.tractor);
        return;
    }
    for (index, c) in row.iter().enumerate() {
        if index == SHOWN && row.len() > 2 * SHOWN {
            let _ = writeln!(text, "  ...       {} more", row.len() - 2 * SHOWN);
        }
        if index < SHOWN || index + SHOWN >= row.len() {
            let _ = writeln!(
                text,
                "  {}  {} from each other, give or take {}: surely {} more than one rig is long{}",
                clock(c.at),
                metres(c.distance),
                metres(c.uncertainty),
                metres(c.clear),
                if c.bracketed { "" } else { " (if the tractor is still parked where it last reported)" }
            );
        }
    }
    let _ = writeln!(
        text,
        "  {} such comparisons over {}; asked for are {} over {}, each surely {} or more{}",
        row.len(),
        lasting(span(&row)),
        rule.samples,
        lasting(rule.lasting),
        metres(rule.clear),
        rule.why
    );
}

/// The comparisons that were left out, and why.
fn vetoed(text: &mut String, finding: &Finding, since: &[&Comparison]) {
    let vetoed = || since.iter().filter(|c| c.verdict == Verdict::Vetoed);
    for c in vetoed().take(SHOWN) {
        let _ = writeln!(
            text,
            "  {}  not counted: {} from each other, but {} had been or came along there within 4 minutes, as if {}'s clock were wrong",
            clock(c.at),
            metres(c.distance),
            finding.tractor,
            finding.trailer
        );
    }
    let more = vetoed().count().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(text, "  ...       {more} more of these were not counted");
    }
}

fn together(text: &mut String, finding: &Finding, trail: &Trail, settings: &Settings) {
    let so_far = || trail.comparisons.range(..=finding.at).map(|(_, c)| c).rev();
    let last_apart =
        so_far().find(|c| c.clear >= settings.apart_m && c.verdict != Verdict::Vetoed).map_or(UnixMillis(i64::MIN), |c| c.at);
    let row: Vec<&Comparison> = so_far().take_while(|c| c.at > last_apart).filter(|c| c.verdict == Verdict::Together).collect();
    if let (Some(newest), Some(first)) = (row.first(), row.last()) {
        let _ = writeln!(
            text,
            "  together again since {}: {} from each other at {}, in {} comparisons",
            clock(first.at),
            metres(newest.distance),
            clock(newest.at),
            row.len()
        );
    } else {
        let _ = writeln!(text, "  the assignment ended, or a coupling sensor named the tractor");
    }
}

/// Those that may have decided, the usual one first.
fn rules(finding: &Finding, settings: &Settings) -> Vec<Rule> {
    let ms = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    let rule = |why, clear, samples: u32, lasting, held_too| Rule { why, clear, samples: samples as usize, lasting, held_too };
    if finding.kind == Some(ViolationKind::LeftWithoutTrailer) {
        let why = ", of a tractor that was near its trailer but never joined";
        return vec![rule(why, Metres(separation::LEFT_M), separation::LEFT_SAMPLES, ms(separation::LEFT_MS), false)];
    }
    let Settings { apart_m, apart_for, apart_samples, .. } = *settings;
    vec![
        rule("", apart_m, apart_samples, apart_for, false),
        rule(
            ", since the coupling sensor says unhooked",
            Metres(apart_m.0.min(separation::UNHOOKED_M)),
            apart_samples.min(separation::UNHOOKED_SAMPLES),
            apart_for.min(ms(separation::UNHOOKED_MS)),
            false,
        ),
        rule(
            ", against a tractor that is only taken to be parked",
            Metres(apart_m.0.max(separation::THEFT_M)),
            apart_samples.max(separation::THEFT_SAMPLES),
            apart_for.max(ms(separation::THEFT_MS)),
            true,
        ),
    ]
}

fn span(row: &[&Comparison]) -> Duration {
    row.first().zip(row.last()).map_or(Duration::ZERO, |(first, last)| last.at.since(first.at))
}
