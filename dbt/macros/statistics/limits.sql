{#-
  95 % limits of one figure, as portable SQL expressions (ln, exp, sqrt, asin, floor and arithmetic only).
  Arguments are SQL expressions; a division by zero never happens where the denominator is positive.
-#}

{#- The 97.5 % point of the standard normal distribution. -#}
{% macro z95() -%}1.959963984540054{%- endmacro %}

{#- Wilson's score limits of events / trials, as shares between 0 and 1. Wilson, JASA 22 (1927) 209. -#}
{% macro wilson_lower(events, trials) -%}
case when {{ events }} <= 0 then 0e0 else greatest(0e0, {{ _wilson(events, trials, '-') }}) end
{%- endmacro %}

{% macro wilson_upper(events, trials) -%}
case when {{ events }} >= {{ trials }} then 1e0 else least(1e0, {{ _wilson(events, trials, '+') }}) end
{%- endmacro %}

{% macro _wilson(events, trials, sign) -%}
{%- set z2 = '3.8414588206941254e0' -%}
(2e0 * {{ events }} + {{ z2 }} {{ sign }} {{ z95() }}e0 * sqrt(greatest(0e0, {{ z2 }} + 4e0 * {{ events }} * (1e0 - {{ events }} / cast({{ trials }} as double)))))
/ (2e0 * ({{ trials }} + {{ z2 }}))
{%- endmacro %}

{#-
  Exact limits of a Poisson mean, given the events counted (Garwood, Biometrika 28 (1936) 437): half of a chi-square quantile. `level` is
  95 or 998 (99.8 %). Up to 100 events they come from the seed poisson_limit, whose column is `tabulated`; beyond, the quantile is
  expanded in powers of 1/sqrt(degrees of freedom) (Goldberg and Levine, Ann. Math. Stat. 17 (1946) 216), off by less than 1e-7 events.
  By the same token x events lie inside a funnel around E expected (both tails above half of what the level leaves) exactly when
  poisson_lower(x) < E < poisson_upper(x).
-#}
{% macro poisson_lower(events, tabulated, level=95) -%}
coalesce({{ tabulated }}, {{ _half_chi_square('(2e0 * ' ~ events ~ ')', level, -1) }})
{%- endmacro %}

{% macro poisson_upper(events, tabulated, level=95) -%}
coalesce({{ tabulated }}, {{ _half_chi_square('(2e0 * ' ~ events ~ ' + 2e0)', level, 1) }})
{%- endmacro %}

{% macro _half_chi_square(freedom, level, side) -%}
{%- set z = {95: 1.959963984540054, 998: 3.090232306167813}[level] * side -%}
{%- set root2 = 1.4142135623730951 -%}
{%- set odd = [z * root2, (z ** 3 - 7 * z) / (9 * root2), (9 * z ** 5 + 256 * z ** 3 - 433 * z) / (4860 * root2),
               -(3753 * z ** 7 + 4353 * z ** 5 - 289517 * z ** 3 - 289717 * z) / (9185400 * root2)] -%}
{%- set even = [2 * (z ** 2 - 1) / 3, -(6 * z ** 4 + 14 * z ** 2 - 32) / 405, (12 * z ** 6 - 243 * z ** 4 - 923 * z ** 2 + 1472) / 25515] -%}
0.5e0 * (
    {{ freedom }} + {{ '%.17e' | format(even[0]) }} + ({{ '%.17e' | format(even[1]) }} + {{ '%.17e' | format(even[2]) }} / {{ freedom }}) / {{ freedom }}
    + sqrt({{ freedom }}) * ({{ '%.17e' | format(odd[0]) }} + ({{ '%.17e' | format(odd[1]) }} + ({{ '%.17e' | format(odd[2]) }} + {{ '%.17e' | format(odd[3]) }} / {{ freedom }}) / {{ freedom }}) / {{ freedom }})
)
{%- endmacro %}

{#-
  Standard error of a mean of scores y, 0 <= y <= 1, each of the same weight w: sum of w*y over sum of w. It is the delta method on the
  multinomial of replies, and no more than that: with unequal weights these sums do not tell the spread of the scores. `score_squares` is
  the sum of (w*y)^2, `weight_squares` that of w^2.
-#}
{% macro score_error(score_sum, weight_sum, score_squares, weight_squares) -%}
sqrt(greatest(0e0, {{ score_squares }} / cast({{ weight_squares }} as double) - ({{ score_sum }} / cast({{ weight_sum }} as double)) * ({{ score_sum }} / cast({{ weight_sum }} as double)))
    * {{ weight_squares }} / cast({{ weight_sum }} as double) / cast({{ weight_sum }} as double))
{%- endmacro %}

{#- What the share would be had everyone without a valid answer been a failure, or a success: the worst-case bounds over all eligible. -#}
{% macro worst_case_lower(successes, eligible) -%}
({{ successes }} / cast(nullif({{ eligible }}, 0) as double))
{%- endmacro %}

{% macro worst_case_upper(successes, answered, eligible) -%}
(({{ successes }} + {{ eligible }} - {{ answered }}) / cast(nullif({{ eligible }}, 0) as double))
{%- endmacro %}

{#- Sum of squared scores of answers that all have the same score, from their sum and their number: whole, as the score is. -#}
{% macro same_score_squares(score_sum, answers) -%}
case when {{ answers }} > 0 then cast(round({{ score_sum }} * ({{ score_sum }} / cast({{ answers }} as double))) as bigint) else 0 end
{%- endmacro %}
