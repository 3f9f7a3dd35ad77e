//! Where a format keeps its values, and the walk that picks them out of a payload.

use core::fmt::{self, Write};
use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Reject;

/// What a value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Kind,
    Unit,
    Time,
    Lat,
    Lon,
    LatLon,
    Speed,
    Heading,
    Hdop,
    Accuracy,
    Valid,
    Approximate,
    Satellites,
    Moving,
    Coupling,
    CouplingState,
    CouplingTractor,
}

const SLOTS: usize = Slot::CouplingTractor as usize + 1;

/// A wanted value: the JSON pointer (RFC 6901) it stands at, what it is for, and what refusals call it.
pub(super) type Wanted<'a> = (&'a str, Slot, &'static str);

/// Why a JSON pointer of the configuration cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPointer {
    /// Not empty, or a slash and a key; `~` only as `~0` and `~1`.
    #[error("is not a JSON pointer like \"/location/latitude\"")]
    Syntax,
    /// Deeper than devices nest.
    #[error("has more than {MAX_DEPTH} levels")]
    TooDeep,
    /// Two fields from one place.
    #[error("points where another field points")]
    Shared,
}

/// The most levels a JSON pointer may have.
const MAX_DEPTH: usize = 16;

/// Compiled pointers: the part of a document that leads to wanted values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    root: Node,
    names: [&'static str; SLOTS],
}

/// A place in the document: a wanted value, the way to some, both or neither.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    slot: Option<Slot>,
    below: BTreeMap<String, Node>,
}

impl Layout {
    /// Compiles the pointers of a configuration.
    pub(super) fn new<'a>(wanted: impl IntoIterator<Item = Wanted<'a>>) -> Result<Self, (&'static str, BadPointer)> {
        let mut layout = Self { root: Node::default(), names: [""; SLOTS] };
        for (pointer, slot, name) in wanted {
            layout.root.insert(pointer, slot).map_err(|why| (name, why))?;
            if let Some(place) = layout.names.get_mut(slot as usize) {
                *place = name;
            }
        }
        Ok(layout)
    }

    /// Compiles the pointers of a format in this crate.
    #[expect(clippy::expect_used, reason = "a constant table of this crate, compiled by the tests of its format")]
    pub(super) fn fixed(wanted: &[Wanted<'_>]) -> Self {
        Self::new(wanted.iter().copied()).expect("a well-formed table")
    }

    /// Picks the wanted values out of a payload that is one message.
    pub(super) fn read<'de>(&self, text: &'de str) -> Result<Picked<'de, '_>, Reject> {
        let mut picked = Picked::new(&self.names);
        run(text, Walk { at: &self.root, picked: &mut picked })?;
        picked.checked()
    }

    /// Hands over each message of a payload that is an array of them, until the JSON breaks.
    pub(super) fn read_list<F>(&self, text: &str, each: F) -> Result<(), Reject>
    where
        F: FnMut(Result<Picked<'_, '_>, Reject>),
    {
        run(text, List { layout: self, each })
    }
}

impl Node {
    fn insert(&mut self, pointer: &str, slot: Slot) -> Result<(), BadPointer> {
        let keys = pointer.strip_prefix('/').ok_or(BadPointer::Syntax)?.split('/');
        if keys.clone().count() > MAX_DEPTH {
            return Err(BadPointer::TooDeep);
        }
        let mut node = self;
        for key in keys {
            node = node.below.entry(unescape(key).ok_or(BadPointer::Syntax)?).or_default();
        }
        node.slot.replace(slot).map_or(Ok(()), |_| Err(BadPointer::Shared))
    }
}

/// The key that a level of a JSON pointer stands for.
fn unescape(level: &str) -> Option<String> {
    let mut key = String::with_capacity(level.len());
    let mut chars = level.chars();
    while let Some(c) = chars.next() {
        key.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(key)
}

fn run<'de, S: DeserializeSeed<'de, Value = ()>>(text: &'de str, seed: S) -> Result<(), Reject> {
    let mut json = serde_json::Deserializer::from_str(text);
    seed.deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|error| Reject::NotJson { line: error.line(), column: error.column() })
}

/// A value as it stands in the payload.
#[derive(Clone, Debug, PartialEq)]
enum Value<'de> {
    Absent,
    Null,
    Flag(bool),
    Number(f64),
    Text(Cow<'de, str>),
    Array,
    Object,
}

impl Value<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// The wanted values of one message.
#[derive(Debug)]
pub(super) struct Picked<'de, 'l> {
    values: [Value<'de>; SLOTS],
    names: &'l [&'static str; SLOTS],
    twice: Option<Slot>,
}

impl<'de, 'l> Picked<'de, 'l> {
    fn new(names: &'l [&'static str; SLOTS]) -> Self {
        Self { values: [const { Value::Absent }; SLOTS], names, twice: None }
    }

    fn put(&mut self, slot: Option<Slot>, value: Value<'de>) {
        let Some(slot) = slot else { return };
        if let Some(place) = self.values.get_mut(slot as usize) {
            if *place != Value::Absent {
                self.twice = Some(slot);
            }
            *place = value;
        }
    }

    fn checked(self) -> Result<Self, Reject> {
        match self.twice {
            Some(slot) => Err(Reject::Twice(self.name(slot))),
            None => Ok(self),
        }
    }

    fn value(&self, slot: Slot) -> &Value<'de> {
        self.values.get(slot as usize).unwrap_or(&Value::Absent)
    }

    /// What refusals call it.
    pub(super) fn name(&self, slot: Slot) -> &'static str {
        self.names.get(slot as usize).copied().unwrap_or_default()
    }

    /// Whether it is there and not null.
    pub(super) fn has(&self, slot: Slot) -> bool {
        !matches!(self.value(slot), Value::Absent | Value::Null)
    }

    /// Whether it is an object.
    pub(super) fn is_object(&self, slot: Slot) -> bool {
        *self.value(slot) == Value::Object
    }

    /// The refusal that it is absent.
    pub(super) fn missing(&self, slot: Slot) -> Reject {
        Reject::Missing(self.name(slot))
    }

    /// The refusal that it is of the wrong type.
    pub(super) fn wrong_type(&self, slot: Slot, expected: &'static str) -> Reject {
        Reject::WrongType { field: self.name(slot), expected, found: self.value(slot).kind() }
    }

    /// The refusal that it is a text, but not one that can stand here.
    pub(super) fn wrong_text(&self, slot: Slot, expected: &'static str) -> Reject {
        Reject::WrongType { field: self.name(slot), expected, found: "another text" }
    }

    /// The refusal that it is a number out of range.
    pub(super) fn out_of_range(&self, slot: Slot) -> Reject {
        Reject::OutOfRange { field: self.name(slot) }
    }

    /// A number, written as one. Always finite.
    pub(super) fn number(&self, slot: Slot) -> Result<Option<f64>, Reject> {
        match self.value(slot) {
            Value::Absent | Value::Null => Ok(None),
            Value::Number(n) => Ok(Some(*n)),
            Value::Flag(_) | Value::Text(_) | Value::Array | Value::Object => Err(self.wrong_type(slot, "a number")),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, slot: Slot) -> Result<Option<bool>, Reject> {
        match self.value(slot) {
            Value::Absent | Value::Null => Ok(None),
            Value::Flag(flag) => Ok(Some(*flag)),
            Value::Number(_) | Value::Text(_) | Value::Array | Value::Object => Err(self.wrong_type(slot, "true or false")),
        }
    }

    /// A text.
    pub(super) fn text(&self, slot: Slot) -> Result<Option<&str>, Reject> {
        match self.value(slot) {
            Value::Absent | Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Flag(_) | Value::Number(_) | Value::Array | Value::Object => Err(self.wrong_type(slot, "text")),
        }
    }
}

/// Reads one value of the document, and below it what is wanted.
struct Walk<'p, 'de, 'l> {
    at: &'l Node,
    picked: &'p mut Picked<'de, 'l>,
}

impl<'de> Walk<'_, 'de, '_> {
    fn keep<E>(self, value: Value<'de>) -> Result<(), E> {
        self.picked.put(self.at.slot, value);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.keep(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.keep(Value::Flag(flag))
    }

    fn visit_i64<E>(self, n: i64) -> Result<(), E> {
        self.keep(Value::Number(n as f64))
    }

    fn visit_u64<E>(self, n: u64) -> Result<(), E> {
        self.keep(Value::Number(n as f64))
    }

    fn visit_f64<E>(self, n: f64) -> Result<(), E> {
        self.keep(Value::Number(n))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.keep(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.keep(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.picked.put(self.at.slot, Value::Array);
        for index in 0_usize.. {
            let mut key = heapless::String::<20>::new();
            let wanted = write!(key, "{index}").ok().and_then(|()| self.at.below.get(key.as_str()));
            let more = match wanted {
                Some(at) => seq.next_element_seed(Walk { at, picked: self.picked })?.is_some(),
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.picked.put(self.at.slot, Value::Object);
        while let Some(wanted) = map.next_key_seed(Key(self.at))? {
            match wanted {
                Some(at) => map.next_value_seed(Walk { at, picked: self.picked })?,
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

/// Reads a key and says where it leads.
struct Key<'l>(&'l Node);

impl<'de, 'l> DeserializeSeed<'de> for Key<'l> {
    type Value = Option<&'l Node>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'l> Visitor<'_> for Key<'l> {
    type Value = Option<&'l Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.below.get(key))
    }
}

/// Reads an array of messages.
struct List<'l, F> {
    layout: &'l Layout,
    each: F,
}

impl<'de, F: FnMut(Result<Picked<'_, '_>, Reject>)> DeserializeSeed<'de> for List<'_, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Result<Picked<'_, '_>, Reject>)> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        loop {
            let mut picked = Picked::new(&self.layout.names);
            let walk = Walk { at: &self.layout.root, picked: &mut picked };
            if seq.next_element_seed(walk)?.is_none() {
                return Ok(());
            }
            (self.each)(picked.checked());
        }
    }
}
