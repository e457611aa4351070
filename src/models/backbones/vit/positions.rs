//! Position embeddings of weights for another size of pictures.

use tch::{Kind, Tensor};

use crate::error::Result;

/// How positions are interpolated between patches; always bicubic.
#[derive(Clone, Copy)]
pub enum Method {
    /// torchvision's `interpolate_embeddings`: the corners stay where they are.
    CornersAligned,
    /// timm's `resample_abs_pos_embed`: with antialiasing, the borders stay where they are.
    Antialiased,
}

/// Position embeddings `[1, prefix + patches, C]` for the number of patches in `wanted`. The rows of the prefix (a class
/// token's) stay as they are. Tensors that fit already, or that are no positions of a square of patches, are returned
/// unchanged: whoever copies them finds whether their shape fits.
pub fn resample(tensor: Tensor, wanted: &[i64], prefix: i64, method: Method) -> Result<Tensor> {
    let side = |rows: i64| {
        let side = ((rows - prefix).max(0) as f64).sqrt().round() as i64;
        (side > 0 && side * side == rows - prefix).then_some(side)
    };
    let size = tensor.size();
    let (&[1, rows, width], &[1, new_rows, new_width]) = (size.as_slice(), wanted) else { return Ok(tensor) };
    let (Some(old), Some(new)) = (side(rows), side(new_rows)) else { return Ok(tensor) };
    if width != new_width || old == new {
        return Ok(tensor);
    }
    let grid = tensor.f_narrow(1, prefix, old * old)?.f_to_kind(Kind::Float)?;
    let grid = grid.f_reshape([1, old, old, width])?.f_permute([0, 3, 1, 2])?;
    let grid = match method {
        Method::CornersAligned => grid.f_upsample_bicubic2d([new, new], true, None, None)?,
        Method::Antialiased => grid.f_internal_upsample_bicubic2d_aa([new, new], false, None, None)?,
    };
    let grid = grid.f_permute([0, 2, 3, 1])?.f_reshape([1, new * new, width])?.f_to_kind(tensor.kind())?;
    Ok(Tensor::f_cat(&[tensor.f_narrow(1, 0, prefix)?, grid], 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch::normal;

    fn gap(a: &Tensor, b: &Tensor) -> f64 {
        f64::try_from((a - b).abs().max()).unwrap()
    }

    #[test]
    fn positions_keep_the_class_token_and_the_corners() {
        let x = normal(1, "positions", &[1, 17, 4], 1.0).unwrap();
        let y = resample(x.shallow_clone(), &[1, 50, 4], 1, Method::CornersAligned).unwrap();
        assert_eq!(y.size(), [1, 50, 4]);
        for (new, old) in [(0, 0), (1, 1), (7, 4), (43, 13), (49, 16)] {
            assert!(gap(&y.select(1, new), &x.select(1, old)) < 1e-6, "{new}");
        }
    }

    #[test]
    fn antialiased_positions_keep_the_prefix_and_what_is_the_same_everywhere() {
        let x = normal(2, "positions", &[1, 37 * 37 + 1, 3], 1.0).unwrap();
        let y = resample(x.shallow_clone(), &[1, 32 * 32 + 1, 3], 1, Method::Antialiased).unwrap();
        assert_eq!(y.size(), [1, 1025, 3]);
        assert_eq!(y.narrow(1, 0, 1), x.narrow(1, 0, 1));
        let flat = normal(3, "row", &[1, 1, 3], 1.0).unwrap();
        let y = resample(flat.expand([1, 25, 3], false), &[1, 64, 3], 0, Method::Antialiased).unwrap();
        assert!(gap(&y, &flat.expand([1, 64, 3], false)) < 1e-6);
        // Left to right stays left to right.
        let row = Tensor::arange(6, (Kind::Float, tch::Device::Cpu)).view([1, 1, 6, 1]).expand([1, 6, 6, 1], false);
        let y = resample(row.reshape([1, 36, 1]), &[1, 9, 1], 0, Method::Antialiased).unwrap().view([3, 3]);
        assert!(gap(&y.select(0, 0), &y.select(0, 2)) < 1e-6);
        let columns = crate::torch::to_vec_f32(&y.select(0, 0)).unwrap();
        assert!(columns.is_sorted() && (columns[1] - 2.5).abs() < 1e-5, "{columns:?}");
    }

    #[test]
    fn what_is_no_square_of_patches_is_left_for_the_error_about_shapes() {
        for (shape, wanted, prefix) in [
            (vec![1, 1370, 4], vec![1, 1024, 4], 0),
            (vec![1, 50, 4], vec![1, 17, 5], 1),
            (vec![1, 50, 4], vec![1, 50, 4], 1),
            (vec![50, 4], vec![1, 17, 4], 1),
            (vec![1, 0, 4], vec![1, 16, 4], 1),
            (vec![1, 1, 4], vec![1, 17, 4], 1),
        ] {
            let x = Tensor::ones(shape.as_slice(), (Kind::Float, tch::Device::Cpu));
            assert_eq!(resample(x, &wanted, prefix, Method::Antialiased).unwrap().size(), shape);
        }
    }
}
