//! A tree as serde's input. Errors of a type's own `Deserialize` keep the place of the innermost value
//! they come from.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

use super::node::{Content, Entry, Node, Span};

/// Deserializes `node`.
pub(super) fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Refused> {
    T::deserialize(Reader(node))
}

/// What a type refused, and where.
#[derive(Debug)]
pub(super) struct Refused {
    pub message: String,
    pub span: Option<Span>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            message: message.to_string(),
            span: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Node);

impl<'a> Reader<'a> {
    /// Errors from inside know their place already.
    fn placed<T>(self, result: Result<T, Refused>) -> Result<T, Refused> {
        result.map_err(|refused| Refused {
            span: refused.span.or(Some(self.0.span)),
            ..refused
        })
    }

    fn entries(entries: &'a [Entry]) -> impl Iterator<Item = (&'a str, Reader<'a>)> {
        entries.iter().map(|entry| (entry.key.as_str(), Reader(&entry.node)))
    }
}

impl<'de> IntoDeserializer<'de, Refused> for Reader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let result = match &self.0.content {
            Content::Null => visitor.visit_unit(),
            Content::Bool(truth) => visitor.visit_bool(*truth),
            Content::Int(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => Err(de::Error::custom("this number does not fit 64 bits")),
            },
            Content::Float(number) => visitor.visit_f64(*number),
            Content::Str(text) => visitor.visit_str(text),
            Content::Seq(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Reader))),
            Content::Map(entries) => visitor.visit_map(MapDeserializer::new(Self::entries(entries))),
        };
        self.placed(result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let result = match self.0.content {
            Content::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        };
        self.placed(result)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.placed(visitor.visit_newtype_struct(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let result = match &self.0.content {
            Content::Str(word) => visitor.visit_enum(StrDeserializer::new(word)),
            Content::Map(entries) => {
                let entries = MapDeserializer::new(Self::entries(entries));
                visitor.visit_enum(MapAccessDeserializer::new(entries))
            }
            other => Err(de::Error::custom(format!(
                "expected one word or one key, not {}",
                other.noun()
            ))),
        };
        self.placed(result)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
