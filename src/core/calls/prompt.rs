//! What the agent is to say and ask: the dynamic variable `prompt`.
//!
//! Texts that come from outside are data here: control characters become spaces and braces become parentheses, so that
//! nobody's description turns into one of the agent's template variables.

use core::fmt::Write;

use super::call::Separation;
use super::request::Detail;
use crate::core::geo::{Metres, Position};
use crate::core::id::UnitId;
use crate::core::separation::ViolationKind;

/// Longest prompt, in characters.
pub const MAX_PROMPT: usize = 2_000;
/// Room that custom rules are sure of, in characters, however much there is to talk about.
const ROOM_FOR_RULES: usize = 500;
/// Lengths to which descriptions are cut until everything fits.
const DESCRIPTION_STEPS: [usize; 5] = [1_000, 400, 160, 60, 0];

/// What a prompt is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptInput<'a> {
    /// Who picks up.
    pub audience: Audience<'a>,
    /// What there is to talk about, most important first. None: the driver is asked to call the dispatcher.
    pub points: Vec<Point<'a>>,
    /// What the agent is to mind; may be empty.
    pub custom_rules: &'a str,
    /// `calls.default_country`: the United States hear feet and miles, everybody else metres and kilometres.
    pub country: &'a str,
}

/// Who picks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// The driver that all this is about.
    Driver,
    /// The dispatcher, because the driver was not reached or is not known.
    Dispatcher {
        /// The driver who was not reached, may be empty; `None` when the roster names no driver.
        driver_name: Option<&'a str>,
    },
}

/// One thing to talk about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point<'a> {
    /// A violation that gladhand found by itself.
    Separation {
        /// Which rule.
        kind: ViolationKind,
        /// The pair's tractor.
        tractor: &'a UnitId,
        /// The pair's trailer.
        trailer: &'a UnitId,
        /// How far apart, when known.
        distance: Option<Metres>,
        /// Where the trailer is, when known.
        position: Option<Position>,
    },
    /// A violation or reminder that the back end named.
    Reported {
        /// The back end's name for it, such as `TRAILER_SEPARATION` or `FUEL_REMINDER`; may be empty.
        kind: &'a str,
        /// In words; may be empty.
        description: &'a str,
    },
}

impl<'a> From<&'a Separation> for Point<'a> {
    fn from(separation: &'a Separation) -> Self {
        Self::Separation {
            kind: separation.kind,
            tractor: &separation.tractor,
            trailer: &separation.trailer,
            distance: separation.distance_m,
            position: separation.position,
        }
    }
}

impl<'a> From<&'a Detail> for Point<'a> {
    fn from(detail: &'a Detail) -> Self {
        Self::Reported { kind: &detail.kind, description: &detail.description }
    }
}

/// The prompt, at most [`MAX_PROMPT`] characters. When there is too much, descriptions are cut first, then custom rules,
/// then the last points are left out and counted.
#[must_use]
pub fn prompt(input: &PromptInput<'_>) -> String {
    let mut rules = clean(input.custom_rules, MAX_PROMPT);
    if !rules.is_empty() {
        rules.insert_str(0, "\nIn this call also mind: ");
    }
    let room = MAX_PROMPT - rules.chars().count().min(ROOM_FOR_RULES);
    let mut text = DESCRIPTION_STEPS
        .iter()
        .map(|longest| talk(input, input.points.len(), *longest))
        .chain((1..input.points.len()).rev().map(|count| talk(input, count, 0)))
        .find(|text| text.chars().count() <= room)
        .unwrap_or_else(|| talk(input, 0, 0));
    text.push_str(&cut(&rules, MAX_PROMPT.saturating_sub(text.chars().count())));
    text
}

/// What the dispatcher is told when a driver was not reached about a request: the words that the driver would have heard.
#[must_use]
pub fn relayed(driver_name: &str, prompt: &str) -> String {
    let driver = not_reached(driver_name);
    cut(&format!("{driver}Tell them what the driver was to hear, and ask whether they can take care of it: {prompt}"), MAX_PROMPT)
}

/// Makes a text from outside fit to stand in a prompt or in a table: white space and control characters become single
/// spaces, braces become parentheses, and it is cut to `max` characters.
#[must_use]
pub fn clean(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let space = (!out.is_empty()).then_some(' ');
        for c in space.into_iter().chain(word.chars()) {
            if length == max {
                return out.trim_end().to_owned();
            }
            length += 1;
            out.push(match c {
                '{' => '(',
                '}' => ')',
                other => other,
            });
        }
    }
    out
}

/// Everything but the custom rules, with the first `count` points and their descriptions cut to `longest` characters.
fn talk(input: &PromptInput<'_>, count: usize, longest: usize) -> String {
    let mut text = match input.audience {
        Audience::Driver => String::new(),
        Audience::Dispatcher { driver_name } => driver_name.map(not_reached).unwrap_or_default(),
    };
    match input.points.as_slice() {
        [] => text.push_str("I am calling about your current trip, please call your dispatcher."),
        [point] => text.push_str(&spoken(point, input, longest)),
        several => {
            let _infallible = write!(text, "There are {} points, ask about them one at a time:", several.len());
            for (n, point) in several.iter().take(count).enumerate() {
                let _infallible = write!(text, "\n{}. {}", n + 1, spoken(point, input, longest));
            }
            if count < several.len() {
                let _infallible = write!(text, "\n{} more are left out here.", several.len() - count);
            }
        }
    }
    text
}

fn not_reached(driver_name: &str) -> String {
    let name = clean(driver_name, 100);
    let driver = if name.is_empty() { "your driver".to_owned() } else { format!("your driver {name}") };
    format!("I am calling you because I could not reach {driver} by telephone. ")
}

fn spoken(point: &Point<'_>, input: &PromptInput<'_>, longest: usize) -> String {
    match *point {
        Point::Separation { kind, tractor, trailer, distance, position } => {
            let mut text = question(kind, input.audience).to_owned();
            let (tractor, trailer) = (clean(tractor, 48), clean(trailer, 48));
            if let Some(distance) = distance.and_then(|d| spoken_distance(d, input.country)) {
                let _infallible = write!(text, " Truck {tractor} and trailer {trailer} are {distance} apart.");
            } else {
                let _infallible = write!(text, " This is about truck {tractor} and trailer {trailer}.");
            }
            if let Some(position) = position.filter(|p| p.is_valid()) {
                let _infallible = write!(text, " The trailer is near {}.", spoken_position(position));
            }
            text
        }
        Point::Reported { kind, description } => {
            let (name, description) = (readable(kind), sentence(&cut(&clean(description, usize::MAX), longest)));
            let text = if name.contains("reminder") {
                let about = name.replace("reminder", " ");
                match (clean(&about, 100), description.is_empty()) {
                    (about, true) if about.is_empty() => "This is a reminder from your dispatcher.".to_owned(),
                    (about, true) => format!("This is a reminder: {about}."),
                    (_, false) => format!("This is a reminder: {description}"),
                }
            } else if let Some(kind) = separation(&name) {
                format!("{} {description}", question(kind, input.audience))
            } else if name.is_empty() && description.is_empty() {
                "I am seeing an alert for your truck, is everything all right?".to_owned()
            } else if name.is_empty() {
                format!("I am seeing an alert: {description} Can you tell me what happened?")
            } else {
                format!("I am seeing an alert about {name}. {description} Can you tell me what happened?")
            };
            clean(&text, usize::MAX)
        }
    }
}

const fn question(kind: ViolationKind, audience: Audience<'_>) -> &'static str {
    match (audience, kind) {
        (Audience::Driver, ViolationKind::LeftBehind) => {
            "I am seeing an alert that your truck and trailer are not together, are you with your trailer right now?"
        }
        (Audience::Driver, ViolationKind::TrailerMovingAlone) => {
            "I am seeing an alert that your trailer is moving without your truck, are you with your trailer right now?"
        }
        (Audience::Driver, ViolationKind::TrailerMovedFromDrop) => {
            "I am seeing an alert that the trailer you dropped is moving without your truck, do you know who is moving it?"
        }
        (Audience::Driver, ViolationKind::LeftWithoutTrailer) => {
            "I am seeing an alert that your truck has left without its trailer, do you have the right trailer with you?"
        }
        (Audience::Dispatcher { .. }, ViolationKind::LeftBehind) => {
            "I am seeing an alert that truck and trailer are not together, do you know where the trailer is?"
        }
        (Audience::Dispatcher { .. }, ViolationKind::TrailerMovingAlone) => {
            "I am seeing an alert that the trailer is moving without its truck, do you know who is moving it?"
        }
        (Audience::Dispatcher { .. }, ViolationKind::TrailerMovedFromDrop) => {
            "I am seeing an alert that a dropped trailer is moving without its truck, do you know who is moving it?"
        }
        (Audience::Dispatcher { .. }, ViolationKind::LeftWithoutTrailer) => {
            "I am seeing an alert that the truck has left without its trailer, do you know which trailer it has?"
        }
    }
}

/// The rule that a back end's name for a violation means, when it means a separation.
fn separation(name: &str) -> Option<ViolationKind> {
    let kinds = [
        ViolationKind::LeftBehind,
        ViolationKind::TrailerMovingAlone,
        ViolationKind::TrailerMovedFromDrop,
        ViolationKind::LeftWithoutTrailer,
    ];
    kinds.into_iter().find(|kind| name == readable(kind.as_str())).or_else(|| {
        ["separat", "not together", "detach", "uncoupl", "unhook"]
            .iter()
            .any(|word| name.contains(word))
            .then_some(ViolationKind::LeftBehind)
    })
}

/// `HARD_BRAKING` and `HardBraking` as "hard braking".
fn readable(name: &str) -> String {
    let mut out = String::new();
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && after_lower {
            out.push(' ');
        }
        after_lower = c.is_lowercase();
        out.extend(if matches!(c, '_' | '-' | '.') { ' ' } else { c }.to_lowercase());
    }
    clean(&out, 100)
}

/// With a full stop at its end, unless it ends otherwise already.
fn sentence(text: &str) -> String {
    if text.is_empty() || text.ends_with(['.', '?', '!', '…']) { text.to_owned() } else { format!("{text}.") }
}

/// At most `max` characters, the last of them an ellipsis when something was cut off.
fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let Some(room) = max.checked_sub(1) else { return String::new() };
    let kept: String = text.chars().take(room).collect();
    format!("{}…", kept.trim_end())
}

fn spoken_distance(distance: Metres, country: &str) -> Option<String> {
    /// The international mile and foot, in metres.
    const MILE: f64 = 1_609.344;
    const FOOT: f64 = 0.304_8;
    let (small, small_name, large_m, large_name) = match country {
        "US" => (distance.0 / FOOT, "feet", MILE, "miles"),
        _ => (distance.0, "metres", 1_000.0, "kilometres"),
    };
    let large = distance.0 / large_m;
    if !(distance.0.is_finite() && distance.0 >= 1.0) {
        None
    } else if distance.0 < 400.0 {
        Some(format!("about {:.0} {small_name}", (small / 10.0).round().max(1.0) * 10.0))
    } else if large < 9.95 {
        Some(format!("about {large:.1} {large_name}"))
    } else {
        Some(format!("about {large:.0} {large_name}"))
    }
}

fn spoken_position(p: Position) -> String {
    let (ns, ew) = (if p.lat < 0.0 { "south" } else { "north" }, if p.lon < 0.0 { "west" } else { "east" });
    format!("{:.2} {ns}, {:.2} {ew}", p.lat.abs(), p.lon.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORTED: fn(&'static str, &'static str) -> Point<'static> = |kind, description| Point::Reported { kind, description };

    fn to_driver(points: Vec<Point<'_>>, custom_rules: &str) -> String {
        prompt(&PromptInput { audience: Audience::Driver, points, custom_rules, country: "US" })
    }

    fn ids() -> (UnitId, UnitId) {
        (UnitId::new("T-001").unwrap(), UnitId::new("R-001").unwrap())
    }

    #[test]
    fn a_separation_is_asked_about_with_how_far_and_where() {
        let (tractor, trailer) = &ids();
        let point = |kind, distance, position| Point::Separation { kind, tractor, trailer, distance, position };
        let place = Some(Position { lat: 36.6602, lon: -100.7398 });
        assert_eq!(
            to_driver(vec![point(ViolationKind::LeftBehind, Some(Metres(2_414.0)), place)], ""),
            "I am seeing an alert that your truck and trailer are not together, are you with your trailer right now? \
             Truck T-001 and trailer R-001 are about 1.5 miles apart. The trailer is near 36.66 north, 100.74 west."
        );
        assert_eq!(
            to_driver(vec![point(ViolationKind::TrailerMovingAlone, Some(Metres(f64::NAN)), None)], ""),
            "I am seeing an alert that your trailer is moving without your truck, are you with your trailer right now? \
             This is about truck T-001 and trailer R-001."
        );
        assert_eq!(
            prompt(&PromptInput {
                audience: Audience::Dispatcher { driver_name: Some("Jane Doe") },
                points: vec![point(ViolationKind::LeftBehind, Some(Metres(2_414.0)), None)],
                custom_rules: "",
                country: "DE",
            }),
            "I am calling you because I could not reach your driver Jane Doe by telephone. I am seeing an alert that truck and \
             trailer are not together, do you know where the trailer is? Truck T-001 and trailer R-001 are about 2.4 kilometres \
             apart."
        );
    }

    #[test]
    fn distances_are_told_as_the_country_says_them() {
        for (metres, us, de) in [
            (209.0, "about 690 feet", "about 210 metres"),
            (399.0, "about 1310 feet", "about 400 metres"),
            (400.0, "about 0.2 miles", "about 0.4 kilometres"),
            (15_900.0, "about 9.9 miles", "about 16 kilometres"),
            (60_000.0, "about 37 miles", "about 60 kilometres"),
        ] {
            assert_eq!(spoken_distance(Metres(metres), "US").as_deref(), Some(us));
            assert_eq!(spoken_distance(Metres(metres), "DE").as_deref(), Some(de));
        }
        assert_eq!(spoken_position(Position { lat: -33.9, lon: 151.2 }), "33.90 south, 151.20 east");
    }

    #[test]
    fn what_the_back_end_names_reads_as_a_question_or_a_reminder() {
        for (kind, description, said) in [
            (
                "TRUCK_TRAILER_SEPARATION",
                "",
                "I am seeing an alert that your truck and trailer are not together, are you with your trailer right now?",
            ),
            (
                "trailer_moving_alone",
                "seen at exit 9",
                "I am seeing an alert that your trailer is moving without your truck, are you with your trailer right now? \
                 seen at exit 9.",
            ),
            ("HARD_BRAKING", "", "I am seeing an alert about hard braking. Can you tell me what happened?"),
            (
                "HardBraking",
                "Twice in 5 minutes",
                "I am seeing an alert about hard braking. Twice in 5 minutes. Can you tell me what happened?",
            ),
            ("", "Reefer is warm!", "I am seeing an alert: Reefer is warm! Can you tell me what happened?"),
            ("FUEL_REMINDER", "Fuel up before Laredo", "This is a reminder: Fuel up before Laredo."),
            ("REMINDER_PRE_TRIP", "", "This is a reminder: pre trip."),
            ("reminder", "", "This is a reminder from your dispatcher."),
            ("", "", "I am seeing an alert for your truck, is everything all right?"),
        ] {
            assert_eq!(to_driver(vec![REPORTED(kind, description)], ""), said);
        }
        assert_eq!(to_driver(vec![], ""), "I am calling about your current trip, please call your dispatcher.");
    }

    #[test]
    fn several_points_are_numbered_and_custom_rules_come_last() {
        assert_eq!(
            to_driver(vec![REPORTED("SPEEDING", "85 in a 65 zone"), REPORTED("FUEL_REMINDER", "Fuel up")], " Speak\nSpanish. "),
            "There are 2 points, ask about them one at a time:\n\
             1. I am seeing an alert about speeding. 85 in a 65 zone. Can you tell me what happened?\n\
             2. This is a reminder: Fuel up.\n\
             In this call also mind: Speak Spanish."
        );
    }

    #[test]
    fn nobodys_text_becomes_a_template_variable_or_a_new_line() {
        let text = to_driver(vec![REPORTED("{{x}}", "a\u{0}b\r\n{{system__call_sid}} {\u{7f}{y}}")], "{{prompt}}\n1. {% z %}");
        assert_eq!(
            text,
            "I am seeing an alert about ((x)). a b ((system__call_sid)) ( (y)). Can you tell me what happened?\n\
             In this call also mind: ((prompt)) 1. (% z %)"
        );
        let (tractor, trailer) = (UnitId::new("{{T").unwrap(), UnitId::new("R}}").unwrap());
        let kind = ViolationKind::LeftBehind;
        let point = Point::Separation { kind, tractor: &tractor, trailer: &trailer, distance: None, position: None };
        assert!(!to_driver(vec![point], "").contains(['{', '}']));
    }

    #[test]
    fn too_much_is_cut_where_it_hurts_least() {
        let long: &'static str = Box::leak("é".repeat(5_000).into_boxed_str());
        let (tractor, trailer) = &ids();
        let kind = ViolationKind::LeftBehind;
        let separation = Point::Separation { kind, tractor, trailer, distance: Some(Metres(500.0)), position: None };
        let ours = to_driver(vec![separation], "");
        for count in [0, 1, 3, 10, 49] {
            for rules in ["", "Speak Spanish.", long] {
                let points = [separation].into_iter().chain(core::iter::repeat_n(REPORTED("SPEEDING", long), count)).collect();
                let text = to_driver(points, rules);
                assert!(text.chars().count() <= MAX_PROMPT, "{count}: {}", text.chars().count());
                assert!(text.contains(&ours), "{text}");
                assert!(rules != "Speak Spanish." || text.ends_with("also mind: Speak Spanish."), "{text}");
                assert!(count != 49 || text.contains(" more are left out here."), "{text}");
            }
        }
        assert_eq!(to_driver(vec![separation], long).chars().count(), MAX_PROMPT);
    }
}
