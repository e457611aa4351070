//! Values as JSON for other programs: those that options take, and Tables and Tensors too.

use rhai::Dynamic;
use serde_json::Value;

use super::table::TableValue;
use super::tensor::TensorValue;
use super::tensor::conversions::to_array;
use crate::error::{Error, Result};
use crate::script::call::IntoValue;
use crate::script::{options, show};
use crate::tables::Cell;

/// A value as JSON: a Table is a list of objects, one per row, a Tensor a list of lists.
///
/// Errors: nan and inf, which JSON does not have; a value without a form in JSON.
pub fn as_json(value: &Dynamic) -> Result<Value> {
    if let Some(table) = value.read_lock::<TableValue>() {
        let columns = table.0.columns();
        let row = |cells: Vec<Cell>| {
            let cell = |(name, cell): (&String, Cell)| {
                as_json(&cell.into_value()).map(|value| (name.clone(), value)).map_err(|e| e.about_name(name.as_str()))
            };
            columns.iter().zip(cells).map(cell).collect::<Result<serde_json::Map<_, _>>>().map(Value::Object)
        };
        return table.0.rows().into_iter().map(row).collect::<Result<Vec<_>>>().map(Value::Array);
    }
    if let Some(tensor) = value.read_lock::<TensorValue>() {
        return as_json(&to_array(&tensor.0)?);
    }
    if let Ok(array) = value.as_array_ref() {
        return array.iter().map(as_json).collect::<Result<Vec<_>>>().map(Value::Array);
    }
    if let Ok(map) = value.as_map_ref() {
        let entry = |(key, value): (&rhai::Identifier, &Dynamic)| Ok((key.to_string(), as_json(value)?));
        return map.iter().map(entry).collect::<Result<serde_json::Map<_, _>>>().map(Value::Object);
    }
    if let Some(x) = value.as_float().ok().filter(|x| !x.is_finite()) {
        return Err(Error::argument(format!("{} is no number of JSON", show::show(&x.into())))
            .with_help("give () in its place, or a string"));
    }
    options::to_json(value).map_err(|kind| {
        Error::argument(format!("{kind} has no form in JSON"))
            .with_help("maps, arrays, texts, numbers, Tables and Tensors have one: give a part of it, such as a score")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(code: &str) -> Result<Value> {
        let mut session = crate::primitives::session();
        as_json(&session.eval(code, "test").unwrap_or_else(|failure| panic!("{}", failure.render(false, 100))))
    }

    #[test]
    fn tables_and_tensors_are_lists() {
        assert_eq!(of("#{a: [1, 2.5, true, (), \"x\"]}").unwrap(), json!({ "a": [1, 2.5, true, null, "x"] }));
        assert_eq!(
            of("[table([#{k: 1, mAP: 2.5}, #{k: 2, mAP: 3.5}], [\"k\", \"mAP\"])]").unwrap(),
            json!([[{ "k": 1, "mAP": 2.5 }, { "k": 2, "mAP": 3.5 }]])
        );
        assert_eq!(of("tensor([[1.0, 2.5]])").unwrap(), json!([[1.0, 2.5]]));
    }

    #[test]
    fn what_json_does_not_have_is_an_error() {
        assert_eq!(of("[0.0 / 0.0]").unwrap_err().message, "NaN is no number of JSON");
        assert_eq!(of("#{a: 1..3, b: |x| x}").unwrap_err().message.split(" has ").nth(1), Some("no form in JSON"));
    }
}
