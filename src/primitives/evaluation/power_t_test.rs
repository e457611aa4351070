//! `power_t_test`: how many seeds a difference of a given size needs.

use rhai::{Array, Dynamic, Map};

use crate::error::{Error, Result};
use crate::metrics::{self, PowerOptions};
use crate::primitives::parameters::numbers;
use crate::script::call::{Call, Number};
use crate::script::show;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "power_t_test",
    chapter: Chapter::Evaluation,
    signatures: &["power_t_test(delta, sd) -> map", "power_t_test(delta, sd, #{options}) -> map"],
    summary: "How many pairs (seeds) a paired difference of a given size needs: #{n, exact, power, effect_size}.",
    details: "delta is the mean difference that is to be found, sd the standard deviation of the pairs' differences, or an array of such differences (two or more). \
n is the fewest pairs with which a two-sided paired t test at level alpha finds delta with the chance power; exact is that number before it was rounded up. \
With the option n the other way round: the power of so many pairs. Numbers as R's power.t.test(delta, sd, type = \"paired\", strict = TRUE) and statsmodels' \
TTestPower().solve_power(delta / sd). A deviation from few seeds is itself unsure: of three it may well be half of the true one.",
    options: Some(OptionDocs::of::<PowerOptions>()),
    examples: &[
        Example { code: "let t = power_t_test(0.5, 0.4); [t.n, t.power >= 0.8]", prints: "[8, true]" },
        Example { code: "power_t_test(0.5, [0.9, 0.1, 0.5], #{n: 3}).power < 0.8", prints: "true" },
    ],
    register: |word| {
        word.form(power_t_test);
    },
};

fn power_t_test(call: &Call, delta: Number, sd: Dynamic, options: PowerOptions) -> Result<Map> {
    let sd = match (sd.clone().try_cast::<Array>(), Number::of(&sd)) {
        (Some(differences), _) => {
            let differences = numbers(&differences, call, "the differences")?;
            let found = metrics::mean_error(&differences)?;
            // The standard error times the root of n.
            found.error.map(|error| error * (found.n as f64).sqrt()).ok_or_else(|| {
                Error::argument("power_t_test: a standard deviation needs at least two differences; got one")
            })?
        }
        (None, Some(sd)) => sd,
        (None, None) => {
            return Err(Error::argument(format!(
                "power_t_test: the standard deviation must be a number, or an array of differences; got {}",
                show::a_type(&sd)
            )));
        }
    };
    let found = metrics::power_t_test(delta.0, sd, &options)?;
    Ok(Map::from_iter([
        ("n".into(), Dynamic::from(found.n as i64)),
        ("exact".into(), found.exact.into()),
        ("power".into(), found.power.into()),
        ("effect_size".into(), found.effect_size.into()),
    ]))
}
