//! The types of a file's columns, and whether they are those of its pages.

use polars::prelude::*;
use polars_parquet::parquet::schema::Repetition;
use polars_parquet::read::{FileMetadata, ParquetType, infer_schema};

use super::thrift::Checked;

/// The types as Arrow has them, and the columns whose time zone was left out: polars, as it is built here, panics on
/// these. Their times are in UTC. Errors: types that are not the columns'.
pub(super) fn of(metadata: &FileMetadata) -> Checked<(ArrowSchema, Vec<String>)> {
    let mut schema = infer_schema(metadata).map_err(|e| match e {
        PolarsError::Duplicate(_) => "a column name appears twice",
        _ => "the types in its footer have no meaning",
    })?;
    let own = metadata.schema().fields();
    if schema.len() != own.len() {
        return Err(format!("its footer has types for {} columns and {} columns", schema.len(), own.len()));
    }
    for ((name, field), own) in schema.iter().zip(own) {
        // A field that is not read need not agree.
        let agrees = name == &own.get_field_info().name && (!is_read(&field.dtype) || agrees(field, own));
        if !agrees {
            return Err(format!("its footer has two types for column \"{name}\""));
        }
    }
    let mut zoned = Vec::new();
    for (name, field) in schema.iter_mut() {
        if leave_out_zones(&mut field.dtype) {
            zoned.push(name.to_string());
        }
    }
    Ok((schema, zoned))
}

/// Whether there was a time zone.
fn leave_out_zones(dtype: &mut ArrowDataType) -> bool {
    match dtype {
        ArrowDataType::Timestamp(_, zone) => zone.take().is_some(),
        ArrowDataType::LargeList(item) => leave_out_zones(&mut item.dtype),
        ArrowDataType::Struct(fields) => {
            // Of all fields, so `any` would stop too early.
            fields.iter_mut().filter_map(|field| leave_out_zones(&mut field.dtype).then_some(())).count() > 0
        }
        _ => false,
    }
}

/// The name of a column and its type; no type for one that polars was built without, or that is not read.
pub(super) fn column(name: &PlSmallStr, field: &ArrowField) -> (String, Option<DataType>) {
    (name.to_string(), is_read(&field.dtype).then(|| DataType::from_arrow_field(field)))
}

/// Whether polars, as it is built here, reads columns of a type. It panics on others.
fn is_read(dtype: &ArrowDataType) -> bool {
    use ArrowDataType::*;
    match dtype {
        Null | Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float32 | Float64 => true,
        Timestamp(..) | Date32 | Date64 | Time64(_) | Duration(_) => true,
        BinaryView | Utf8View => true,
        LargeList(item) => is_read(&item.dtype),
        Struct(fields) => !fields.is_empty() && fields.iter().all(|field| is_read(&field.dtype)),
        Dictionary(_, values, _) => matches!(**values, Utf8View),
        _ => false,
    }
}

/// Whether a type has the levels of a column, which decide how polars reads its pages.
fn agrees(field: &ArrowField, own: &ParquetType) -> bool {
    let mut levels = Vec::new();
    arrow_levels(field, 0, 0, &mut levels);
    let mut ours = Vec::new();
    parquet_levels(own, 0, 0, &mut ours);
    levels == ours
}

/// The largest levels, definition and repetition, of each column of values.
fn arrow_levels(field: &ArrowField, definition: i16, repetition: i16, levels: &mut Vec<(i16, i16)>) {
    let definition = definition + i16::from(field.is_nullable);
    match &field.dtype {
        ArrowDataType::LargeList(item) => arrow_levels(item, definition + 1, repetition + 1, levels),
        ArrowDataType::Struct(fields) => {
            fields.iter().for_each(|field| arrow_levels(field, definition, repetition, levels))
        }
        _ => levels.push((definition, repetition)),
    }
}

fn parquet_levels(own: &ParquetType, definition: i16, repetition: i16, levels: &mut Vec<(i16, i16)>) {
    let (more, repeats) = match own.get_field_info().repetition {
        Repetition::Required => (0, 0),
        Repetition::Optional => (1, 0),
        Repetition::Repeated => (1, 1),
    };
    let (definition, repetition) = (definition + more, repetition + repeats);
    match own {
        ParquetType::PrimitiveType(_) => levels.push((definition, repetition)),
        ParquetType::GroupType { fields, .. } => {
            fields.iter().for_each(|field| parquet_levels(field, definition, repetition, levels))
        }
    }
}
