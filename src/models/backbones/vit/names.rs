//! The names and forms of published weights.

use tch::Tensor;

use super::positions::{Method, resample};
use crate::error::Result;

/// torchvision's name for timm's, or for torchvision's before its feed-forward layers were numbered.
pub fn to_torchvision(name: &str) -> Option<String> {
    let fixed = match name {
        "cls_token" => "class_token",
        "pos_embed" => "encoder.pos_embedding",
        "patch_embed.proj.weight" => "conv_proj.weight",
        "patch_embed.proj.bias" => "conv_proj.bias",
        "norm.weight" => "encoder.ln.weight",
        "norm.bias" => "encoder.ln.bias",
        "head.weight" => "heads.head.weight",
        "head.bias" => "heads.head.bias",
        _ => "",
    };
    if !fixed.is_empty() {
        return Some(fixed.to_string());
    }
    if let Some(rest) = name.strip_prefix("blocks.") {
        let (block, part) = rest.split_once('.')?;
        let (part, leaf) = part.rsplit_once('.')?;
        let part = match part {
            "norm1" => "ln_1.",
            "norm2" => "ln_2.",
            "attn.qkv" => "self_attention.in_proj_",
            "attn.proj" => "self_attention.out_proj.",
            "mlp.fc1" => "mlp.0.",
            "mlp.fc2" => "mlp.3.",
            _ => return None,
        };
        return Some(format!("encoder.layers.encoder_layer_{block}.{part}{leaf}"));
    }
    Some(name.replace("mlp.linear_1.", "mlp.0.").replace("mlp.linear_2.", "mlp.3."))
}

/// timm's name for one of OpenAI's image tower, without `visual.`.
pub fn to_timm(name: &str) -> Option<String> {
    let (module, leaf) = name.rsplit_once('.').unwrap_or(("", name));
    let module = match (module, leaf) {
        ("", "class_embedding") => return Some("cls_token".into()),
        ("", "positional_embedding") => return Some("pos_embed".into()),
        ("conv1", _) => "patch_embed.proj".to_string(),
        ("ln_pre", _) => "norm_pre".to_string(),
        ("ln_post", _) => "norm".to_string(),
        _ => {
            let Some(rest) = module.strip_prefix("transformer.resblocks.") else { return Some(name.to_string()) };
            let (block, part) = rest.split_once('.')?;
            let part = match (part, leaf) {
                ("ln_1", _) => "norm1",
                ("ln_2", _) => "norm2",
                ("attn", "in_proj_weight") => return Some(format!("blocks.{block}.attn.qkv.weight")),
                ("attn", "in_proj_bias") => return Some(format!("blocks.{block}.attn.qkv.bias")),
                ("attn.out_proj", _) => "attn.proj",
                ("mlp.c_fc", _) => "mlp.fc1",
                ("mlp.c_proj", _) => "mlp.fc2",
                _ => return None,
            };
            format!("blocks.{block}.{part}")
        }
    };
    Some(format!("{module}.{leaf}"))
}

/// Tensors under timm's names in the form that timm gives them: positions for the number of patches, tokens with the
/// dimensions of batch and token.
pub fn in_timms_form(to: &str, tensor: Tensor, wanted: &[i64], prefix: i64) -> Result<Tensor> {
    match (to, tensor.dim()) {
        ("pos_embed", 2) => resample(tensor.f_unsqueeze(0)?, wanted, prefix, Method::Antialiased),
        ("pos_embed", _) => resample(tensor, wanted, prefix, Method::Antialiased),
        ("cls_token", 1) => Ok(tensor.f_view([1, 1, -1])?),
        _ => Ok(tensor),
    }
}

/// The files of DINOv2's authors in timm's form. There, the positions have a row for the class token in models with
/// registers too; timm adds it to the class token. The mask token serves pre-training only.
pub fn of_dinov2(mut tensors: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>> {
    tensors.retain(|(name, _)| !is(name, "mask_token"));
    let Some(prefix) = tensors.iter().find_map(|(name, _)| name.strip_suffix("register_tokens").map(str::to_string))
    else {
        return Ok(tensors);
    };
    let find = |leaf: &str| tensors.iter().position(|(name, _)| name.strip_prefix(&prefix) == Some(leaf));
    if let (Some(class), Some(positions), Some(registers)) =
        (find("cls_token"), find("pos_embed"), find("register_tokens"))
    {
        let (token, all) = (&tensors[class].1, &tensors[positions].1);
        let (token_size, size) = (token.size(), all.size());
        if let (&[1, 1, width], &[1, rows, columns]) = (token_size.as_slice(), size.as_slice())
            && width == columns
            && rows > 1
        {
            let (token, all) = (token.f_add(&all.f_narrow(1, 0, 1)?)?, all.f_narrow(1, 1, rows - 1)?);
            tensors[class].1 = token;
            tensors[positions].1 = all;
            tensors[registers].0 = format!("{prefix}reg_token");
        }
    }
    Ok(tensors)
}

/// Without the map into the space that pictures share with texts, which is no classifier: OpenAI's `proj`, or in timm's
/// files a last layer whose bias is 0.
pub fn of_clip(mut tensors: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>> {
    let mut prefixes = Vec::new();
    for (name, tensor) in &tensors {
        if is(name, "head.bias") && i64::try_from(&tensor.f_count_nonzero(None)?)? == 0 {
            prefixes.push(name.trim_end_matches("bias").to_string());
        }
    }
    tensors.retain(|(name, _)| {
        !is(name, "proj") && !prefixes.iter().any(|p| matches!(name.strip_prefix(p), Some("weight" | "bias")))
    });
    Ok(tensors)
}

/// Whether a name is `path`, under any prefix that ends with a dot.
fn is(name: &str, path: &str) -> bool {
    name.strip_suffix(path).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn timms_names_become_torchvisions() {
        let pairs = [
            ("cls_token", "class_token"),
            ("blocks.3.attn.qkv.bias", "encoder.layers.encoder_layer_3.self_attention.in_proj_bias"),
            ("blocks.11.mlp.fc2.weight", "encoder.layers.encoder_layer_11.mlp.3.weight"),
            ("encoder.layers.encoder_layer_0.mlp.linear_2.bias", "encoder.layers.encoder_layer_0.mlp.3.bias"),
        ];
        for (theirs, ours) in pairs {
            assert_eq!(to_torchvision(theirs).as_deref(), Some(ours));
        }
    }

    #[test]
    fn openais_names_become_timms() {
        let pairs = [
            ("class_embedding", "cls_token"),
            ("positional_embedding", "pos_embed"),
            ("conv1.weight", "patch_embed.proj.weight"),
            ("ln_pre.bias", "norm_pre.bias"),
            ("ln_post.weight", "norm.weight"),
            ("transformer.resblocks.10.attn.in_proj_bias", "blocks.10.attn.qkv.bias"),
            ("transformer.resblocks.0.attn.out_proj.weight", "blocks.0.attn.proj.weight"),
            ("transformer.resblocks.3.ln_2.bias", "blocks.3.norm2.bias"),
            ("transformer.resblocks.3.mlp.c_proj.bias", "blocks.3.mlp.fc2.bias"),
            ("blocks.3.mlp.fc2.bias", "blocks.3.mlp.fc2.bias"),
        ];
        for (theirs, ours) in pairs {
            assert_eq!(to_timm(theirs).as_deref(), Some(ours));
        }
    }

    fn tensors(all: &[(&str, &[i64], f64)]) -> Vec<(String, Tensor)> {
        let full = |&(name, shape, value): &(&str, &[i64], f64)| {
            (name.to_string(), Tensor::full(shape, value, (Kind::Float, Device::Cpu)))
        };
        all.iter().map(full).collect()
    }

    #[test]
    fn a_position_of_the_class_token_is_added_to_it_where_there_are_registers() {
        let file = [
            ("net.cls_token", &[1, 1, 2][..], 1.0),
            ("net.pos_embed", &[1, 5, 2], 0.5),
            ("net.register_tokens", &[1, 4, 2], 3.0),
            ("net.mask_token", &[1, 2], 0.0),
        ];
        let came = of_dinov2(tensors(&file)).unwrap();
        let names: Vec<&str> = came.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["net.cls_token", "net.pos_embed", "net.reg_token"]);
        assert_eq!(came[0].1, Tensor::full([1, 1, 2], 1.5, (Kind::Float, Device::Cpu)));
        assert_eq!(came[1].1.size(), [1, 4, 2]);
        // Without registers, positions stay whole.
        let came = of_dinov2(tensors(&file[..2])).unwrap();
        assert_eq!(came[1].1.size(), [1, 5, 2]);
        assert_eq!(came[0].1, Tensor::ones([1, 1, 2], (Kind::Float, Device::Cpu)));
    }

    #[test]
    fn a_projection_is_no_classifier() {
        let file = |bias| {
            [
                ("head.weight", &[3, 2][..], 1.0),
                ("head.bias", &[3], bias),
                ("visual.proj", &[2, 3], 1.0),
                ("blocks.0.attn.proj.weight", &[2, 2], 1.0),
            ]
        };
        let names = |bias| -> Vec<String> {
            of_clip(tensors(&file(bias))).unwrap().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(0.0), ["blocks.0.attn.proj.weight"]);
        assert_eq!(names(0.1), ["head.weight", "head.bias", "blocks.0.attn.proj.weight"]);
    }
}
