//! Nothing but `torch::upload` and `torch::read_back` moves numbers between host and device in a training step, found by reading the
//! sources: what else could do it has a line here, with its reason.

use std::collections::BTreeMap;

use crate::house::Source;

/// Rooms whose code runs in a step.
const ROOMS: [&str; 3] = ["training", "models", "losses"];

/// Functions that read a tensor's value on the host, or whose result's shape is such a value: a GPU is waited for.
const READS: [&str; 21] = [
    "double_value",
    "f_double_value",
    "int64_value",
    "f_int64_value",
    "copy_data",
    "f_copy_data",
    "copy_data_u8",
    "f_copy_data_u8",
    "f_internal_local_scalar_dense",
    "f_is_nonzero",
    "f_equal",
    "f_allclose",
    "f_nonzero",
    "f_nonzero_numpy",
    "f_argwhere",
    "f_masked_select",
    "f_masked_scatter",
    "f_bincount",
    "f_unique_dim",
    "f_unique_consecutive",
    "f_repeat_interleave",
];

/// Functions that move a tensor to another device.
const MOVES: [&str; 5] = ["f_to_device", "f_to_device_", "f_to", "f_cuda", "f_cpu"];

/// Makes a tensor from numbers of the host. In a forward pass each would be a copy for which a GPU and the CPU wait, so models make
/// theirs when they are built, or once through `Constants`. Elsewhere they go through `torch::upload`.
const MAKES: &str = "f_from_slice";

/// File, function, how often, and why.
const ALLOWED: &[(&str, &str, usize, &str)] = &[
    // Once per training.
    ("training/checkpoint.rs", "f_copy_data_u8", 1, "of a tensor that was read back"),
    ("training/checkpoint.rs", "Vec::try_from", 1, "of a file"),
    ("training/checkpoint.rs", "f_to_device", 1, "from a file to the model"),
    ("training/stored_rows.rs", "f_copy_data_u8", 1, "of a tensor that was read back"),
    ("training/training_loop/setup.rs", "f_to_device", 1, "truth of all images"),
    ("training/distillation_loss.rs", "f_to_device", 1, "shares of ensembles"),
    ("training/teacher_targets.rs", "f_to_device", 2, "given and kept outputs of all images"),
    ("training/merge_rule.rs", "f_to_device", 2, "columns; the result of a script's rule, which is there already"),
    // Once per process.
    ("training/optimiser/one_pass.rs", "f_equal", 1, "whether two forms of an update have the same bits, on the CPU"),
    // Once per model.
    ("models/model/mod.rs", "f_to_device", 2, "constants; fingerprint of the weights"),
    ("models/model/mod.rs", "f_copy_data_u8", 1, "fingerprint of the weights"),
    ("models/params.rs", "f_to_device", 2, "first values, constants"),
    ("models/functions/init.rs", "f_to_device", 1, "first values of a script, while a model is built"),
    ("models/functions/init.rs", "f_equal", 1, "whether two are the same, while a model is built"),
    ("models/functions/facts.rs", "f_to_device", 1, "label graph"),
    ("models/adapter/mod.rs", "f_to_device", 2, "a mask of the script, where it is elsewhere"),
    ("models/params.rs", "f64::try_from", 1, "whether word vectors of a model's file are finite"),
    ("models/label_order.rs", "f_to_device", 1, "weights from a file"),
    ("models/heads/ssgrl.rs", "f_to_device", 1, "label graph"),
    ("models/heads/kssnet.rs", "f_to_device", 1, "label graph"),
    ("models/heads/ml_gcn.rs", "f_to_device", 1, "label graph"),
    ("models/heads/cpcl.rs", "f_to_device", 1, "label graph"),
    ("models/heads/mgtn.rs", "f_to_device", 2, "label graph"),
    ("models/heads/mgtn.rs", "f64::try_from", 1, "eigenvectors of the label graph"),
    ("models/heads/ms_cma.rs", "f_to_device", 1, "shares of labels"),
    ("models/backbones/swin.rs", "f_from_slice", 2, "positions and masks of windows, within Constants::get"),
    ("models/backbones/tresnet.rs", "f_from_slice", 1, "the blur's filter, within Constants::get"),
    ("models/model/mod.rs", "f_from_slice", 1, "mean and deviation of colours"),
    ("models/graph_option.rs", "f_from_slice", 2, "label graph and shares of labels"),
    ("models/word_vectors.rs", "f_from_slice", 1, "word vectors"),
    ("models/label_order.rs", "f_from_slice", 1, "places of labels"),
    ("models/heads/mgtn.rs", "f_from_slice", 1, "communities of the label graph"),
    ("models/heads/ms_cma.rs", "f_from_slice", 1, "embeddings of the label graph"),
    // Files.
    ("models/weights/mod.rs", "i64::try_from", 1, "weights from a file"),
    ("models/weights/safetensors.rs", "f_to_device", 1, "weights to a file"),
    ("models/weights/safetensors.rs", "f_copy_data_u8", 1, "weights to a file"),
    ("models/weights/write_npy.rs", "f_to_device", 1, "a tensor to a file"),
    ("models/weights/write_npy.rs", "f_copy_data_u8", 1, "a tensor to a file"),
    ("models/backbones/vit/names.rs", "i64::try_from", 1, "weights from a file"),
    // In a step: the authors' methods decide on the host.
    ("models/heads/cadm.rs", "Vec::try_from", 1, "labels per picture, read back"),
    ("models/heads/cadm.rs", "f_nonzero", 1, "present labels"),
    ("models/heads/cadm.rs", "f_masked_select", 1, "pairs that count"),
    ("models/heads/c_tran.rs", "Vec::try_from", 1, "hidden labels, drawn on the CPU"),
    ("models/heads/c_tran.rs", "f_from_slice", 1, "known labels, for a mask made on the CPU"),
    ("models/heads/known.rs", "Vec::try_from", 1, "a mask, read back"),
    ("models/heads/known.rs", "f_from_slice", 1, "uploaded, where labels are unknown"),
    ("training/peers.rs", "Vec::try_from", 1, "losses and sums, read back"),
];

/// What a source uses, by function: how often.
fn uses(source: &Source) -> BTreeMap<String, usize> {
    let token = |i: usize| source.tokens.get(i).map_or("", String::as_str);
    let mut found = BTreeMap::new();
    for i in 0..source.tokens.len() {
        let name = match token(i) {
            MAKES if source.room() == "models" && token(i + 1) == "(" => MAKES.to_string(),
            name if (READS.contains(&name) || MOVES.contains(&name)) && token(i + 1) == "(" => name.to_string(),
            // `i64::try_from(&tensor)`; without `&` it converts a number. `Vec::<f32>::try_from(&tensor)`.
            "try_from" if token(i + 1) == "(" && token(i - 1) == "::" => match token(i - 2) {
                ">" => "Vec::try_from".into(),
                name @ ("f64" | "f32") => format!("{name}::try_from"),
                name @ ("i64" | "i32" | "u8" | "bool") if token(i + 2) == "&" => format!("{name}::try_from"),
                _ => continue,
            },
            _ => continue,
        };
        *found.entry(name).or_default() += 1;
    }
    found
}

#[test]
fn values_of_tensors_reach_the_host_by_one_function() {
    let sources = Source::all();
    // Times found and times known, by file and function.
    let mut times: BTreeMap<(&str, String), (usize, usize)> = BTreeMap::new();
    for source in sources.iter().filter(|source| ROOMS.contains(&source.room())) {
        for (function, found) in uses(source) {
            times.entry((&source.path, function)).or_default().0 = found;
        }
    }
    for (path, function, known, _) in ALLOWED {
        times.entry((path, function.to_string())).or_default().1 = *known;
    }
    let faults: Vec<String> = times
        .iter()
        .filter(|(_, (found, known))| found != known)
        .map(|((path, function), (found, known))| format!("{path}: {function} {found} times, {known} are known"))
        .collect();
    assert!(faults.is_empty(), "beside torch::upload and torch::read_back:\n{}", faults.join("\n"));
    // The scanner sees what is there.
    let torch = sources.iter().find(|source| source.path == "torch/transfers.rs").unwrap();
    let torch = uses(torch);
    assert!(
        ["f64::try_from", "Vec::try_from", "f_to_device", "f_to_device_"].iter().all(|name| torch.contains_key(*name))
    );
}
