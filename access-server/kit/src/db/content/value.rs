//! One value of a row, as a backup has it.

use serde_json::{Map, Value as Json};

/// A value of one of the four types that both engines have, or none.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// 64 bits, with a sign.
    Integer(i64),
    /// Double precision.
    Real(f64),
    /// UTF-8.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// What stands there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("null, a whole number, a text, {{\"real\": …}} or {{\"bytes\": …}} is expected")]
pub struct ValueError;

impl Value {
    /// As JSON: `null`, `7`, `"text"`, `{"real": "0.25"}` (in the shortest decimals that give the same number again) or
    /// `{"bytes": "00ff"}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let one =
            |key: &str, text: String| Json::Object(Map::from_iter([(key.to_owned(), Json::String(text))]));
        match self {
            Self::Null => Json::Null,
            Self::Integer(number) => (*number).into(),
            Self::Real(number) => one("real", number.to_string()),
            Self::Text(text) => Json::String(text.clone()),
            Self::Blob(bytes) => one("bytes", crate::journal::hex(bytes)),
        }
    }

    /// Reads what [`Self::to_json`] gave.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_json(json: Json) -> Result<Self, ValueError> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Number(number) => Self::Integer(number.as_i64().ok_or(ValueError)?),
            Json::String(text) => Self::Text(text),
            Json::Object(map) => match map.iter().next() {
                Some((key, Json::String(text))) if map.len() == 1 && key == "real" => {
                    Self::Real(text.parse().map_err(|_| ValueError)?)
                }
                Some((key, Json::String(text))) if map.len() == 1 && key == "bytes" => {
                    Self::Blob(crate::journal::unhex(text).ok_or(ValueError)?)
                }
                Some(_) | None => return Err(ValueError),
            },
            Json::Bool(_) | Json::Array(_) => return Err(ValueError),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_filter("equal to itself", |it| !it.is_nan()).prop_map(Value::Real),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Blob),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any_value()) {
            let line = value.to_json().to_string();
            prop_assert_eq!(Value::from_json(serde_json::from_str(&line).expect("JSON")), Ok(value));
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for bad in [
            "true",
            "[]",
            "{}",
            "1.5",
            "9223372036854775808",
            "{\"real\":\"x\"}",
            "{\"bytes\":\"0\"}",
            "{\"bytes\":1}",
        ] {
            assert_eq!(Value::from_json(serde_json::from_str(bad).expect("JSON")), Err(ValueError), "{bad}");
        }
    }
}
