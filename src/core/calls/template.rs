//! `[calls.prompt]`: what the agent says to a driver about a violation, in the fleet's own words.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::separation::ViolationKind;

/// Longest template, in characters.
const MAX_TEMPLATE: usize = 1_000;

/// Templates by kind of violation; a kind without one gets gladhand's own words.
pub type Templates = BTreeMap<ViolationKind, Template>;

/// A text in which `{tractor}`, `{trailer}`, `{distance}` and `{place}` stand for what is known. Serialises to the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
}

/// What stands for a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The tractor's id.
    Tractor,
    /// The trailer's id.
    Trailer,
    /// How far apart the two are.
    Distance,
    /// Where the trailer is.
    Place,
}

impl Placeholder {
    const ALL: [Self; 4] = [Self::Tractor, Self::Trailer, Self::Distance, Self::Place];

    const fn name(self) -> &'static str {
        match self {
            Self::Tractor => "{tractor}",
            Self::Trailer => "{trailer}",
            Self::Distance => "{distance}",
            Self::Place => "{place}",
        }
    }
}

impl Template {
    /// The text with every placeholder replaced.
    #[must_use]
    pub fn fill(&self, value: impl Fn(Placeholder) -> String) -> String {
        let mut out = String::with_capacity(self.text.len() + 64);
        let mut rest = self.text.as_str();
        while let Some(start) = rest.find('{') {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            let Some(found) = Placeholder::ALL.into_iter().find(|p| from.starts_with(p.name())) else {
                rest = from;
                break;
            };
            out.push_str(&value(found));
            rest = from.get(found.name().len()..).unwrap_or_default();
        }
        out + rest
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = || Placeholder::ALL.map(Placeholder::name).join(" ");
        if text.trim().is_empty() || text.chars().count() > MAX_TEMPLATE {
            return Err(format!("must have 1 to {MAX_TEMPLATE} characters"));
        }
        let bare = Placeholder::ALL.iter().fold(text.clone(), |text, placeholder| text.replace(placeholder.name(), ""));
        match bare.find(['{', '}']) {
            None => Ok(Self { text }),
            Some(at) => {
                let near: String = bare.chars().skip(bare.get(..at).unwrap_or_default().chars().count()).take(20).collect();
                Err(format!("\"{near}\" is no placeholder; known here: {}", known()))
            }
        }
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once_and_unknown_ones_are_refused() {
        let template = Template::try_from("{trailer} of {tractor}: {distance}, {place}, {trailer}?".to_owned()).unwrap();
        let filled = template.fill(|placeholder| match placeholder {
            Placeholder::Tractor => "T-{trailer}".to_owned(),
            Placeholder::Trailer => "R-1".to_owned(),
            Placeholder::Distance => "a mile".to_owned(),
            Placeholder::Place => "here".to_owned(),
        });
        assert_eq!(filled, "R-1 of T-{trailer}: a mile, here, R-1?");
        let refused = |text: &str| Template::try_from(text.to_owned()).unwrap_err();
        assert_eq!(
            refused("where is {truck}?"),
            "\"{truck}?\" is no placeholder; known here: {tractor} {trailer} {distance} {place}"
        );
        assert!(refused("{{system__call_sid}}").contains("is no placeholder"));
        assert_eq!(refused(" "), "must have 1 to 1000 characters");
        assert_eq!(refused(&"x".repeat(1_001)), "must have 1 to 1000 characters");
    }
}
