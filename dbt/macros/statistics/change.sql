{#-
  Change between a current figure and a prior one, as portable SQL expressions over positive exposures, given as doubles.
  `dispersion` is the variance over that of a Poisson (or binomial) count, at least 1.
-#}

{#- Ratio of two rates; null when the prior count is 0: there is no percentage from 0. -#}
{% macro rate_ratio(current, prior, current_exposure, prior_exposure) -%}
(({{ current }} / {{ current_exposure }}) / nullif({{ prior }} / {{ prior_exposure }}, 0e0))
{%- endmacro %}

{#- What the ratio is divided and multiplied by for its log-normal 95 % limits; null when a count is 0. -#}
{% macro ratio_factor(current, prior, dispersion) -%}
exp({{ z95() }}e0 * sqrt({{ dispersion }} * (1e0 / nullif({{ current }}, 0) + 1e0 / nullif({{ prior }}, 0))))
{%- endmacro %}

{#-
  95 % limits of the rate ratio from the ratio and its factor; where a count is 0, the exact limits of the conditional binomial (given
  the total, which share falls to the current period). A null above is no bound; both are null when nothing was counted.
-#}
{% macro rate_ratio_lower(ratio, factor, current, prior, current_exposure, prior_exposure) -%}
coalesce(
    {{ ratio }} / {{ factor }},
    case
        when {{ prior }} > 0 then 0e0
        when {{ current }} > 0 then {{ prior_exposure }} / {{ current_exposure }} / (exp({{ _ln_40() }} / {{ current }}) - 1e0)
    end
)
{%- endmacro %}

{% macro rate_ratio_upper(ratio, factor, current, prior, current_exposure, prior_exposure) -%}
coalesce(
    {{ ratio }} * {{ factor }},
    case when {{ prior }} > 0 then {{ prior_exposure }} / {{ current_exposure }} * (exp({{ _ln_40() }} / {{ prior }}) - 1e0) end
)
{%- endmacro %}

{% macro _ln_40() -%}3.6888794541139363e0{%- endmacro %}

{#- Variance-stabilised difference of two counts; unit variance at dispersion 1. -#}
{% macro count_z(current, prior, current_exposure, prior_exposure, dispersion) -%}
(2e0 * (sqrt({{ current }} * {{ prior_exposure }}) - sqrt({{ prior }} * {{ current_exposure }}))
    / sqrt({{ dispersion }} * ({{ current_exposure }} + {{ prior_exposure }})))
{%- endmacro %}

{#- Variance-stabilised (arcsine) difference of two shares; unit variance at dispersion 1, the binomial twin of count_z. -#}
{% macro share_z(current, current_trials, prior, prior_trials, dispersion) -%}
(2e0 * (asin(sqrt({{ current }} / cast({{ current_trials }} as double))) - asin(sqrt({{ prior }} / cast({{ prior_trials }} as double))))
    / sqrt({{ dispersion }} * (1e0 / {{ current_trials }} + 1e0 / {{ prior_trials }})))
{%- endmacro %}

{#-
  Limits of a difference from the limits of its two sides (Newcombe, Stat. Med. 17 (1998) 873, his method 10 when the sides are
  Wilson's): `current` and `prior` are triples of expressions (estimate, lower, upper).
-#}
{% macro difference_lower(current, prior) -%}
({{ current[0] }} - {{ prior[0] }}
    - sqrt(({{ current[0] }} - {{ current[1] }}) * ({{ current[0] }} - {{ current[1] }}) + ({{ prior[2] }} - {{ prior[0] }}) * ({{ prior[2] }} - {{ prior[0] }})))
{%- endmacro %}

{% macro difference_upper(current, prior) -%}
({{ current[0] }} - {{ prior[0] }}
    + sqrt(({{ current[2] }} - {{ current[0] }}) * ({{ current[2] }} - {{ current[0] }}) + ({{ prior[0] }} - {{ prior[1] }}) * ({{ prior[0] }} - {{ prior[1] }})))
{%- endmacro %}

{#-
  Two-sided p (doubled smaller tail, at most 1) of the exact conditional test of two counts: given their sum, the smaller count is
  binomial with its share of the exposure. Summed over the smaller count, so `terms` must exceed it; null otherwise.
-#}
{% macro conditional_p(current, prior, current_exposure, prior_exposure, terms) -%}
{%- set smaller = 'least(' ~ current ~ ', ' ~ prior ~ ')' -%}
{%- set total = '(' ~ current ~ ' + ' ~ prior ~ ')' -%}
{%- set odds = '(case when ' ~ current ~ ' <= ' ~ prior ~ ' then ' ~ current_exposure ~ ' / ' ~ prior_exposure ~ ' else ' ~ prior_exposure ~ ' / ' ~ current_exposure ~ ' end)' -%}
{%- set p_zero = 'exp(-' ~ total ~ ' * ln(1e0 + ' ~ odds ~ '))' -%}
{%- set ratios = [] -%}
{%- for k in range(1, terms) -%}
    {%- do ratios.append('(' ~ total ~ ' - ' ~ (k - 1) ~ '.0e0) * ' ~ odds ~ ' / ' ~ k ~ '.0e0') -%}
{%- endfor -%}
case when {{ smaller }} < {{ terms }} then {{ _doubled_tail(smaller, p_zero, ratios) }} end
{%- endmacro %}

{#-
  The same for two shares: given both margins, the smallest cell of the 2 x 2 table is hypergeometric (Fisher's exact test, doubled).
  `smallest` is that cell, `row_total` and `column_total` its margins, `total` the whole table.
-#}
{% macro fisher_p(smallest, row_total, column_total, total, terms) -%}
{%- set rest = '(' ~ total ~ ' - ' ~ row_total ~ ' - ' ~ column_total ~ ')' -%}
{%- set p_zero = 'exp(' ~ ln_factorial('(' ~ total ~ ' - ' ~ row_total ~ ')') ~ ' + ' ~ ln_factorial('(' ~ total ~ ' - ' ~ column_total ~ ')')
    ~ ' - ' ~ ln_factorial(total) ~ ' - ' ~ ln_factorial(rest) ~ ')' -%}
{%- set ratios = [] -%}
{%- for k in range(1, terms) -%}
    {%- do ratios.append('(' ~ row_total ~ ' - ' ~ (k - 1) ~ '.0e0) * (' ~ column_total ~ ' - ' ~ (k - 1) ~ '.0e0) / (' ~ k ~ '.0e0 * (' ~ rest ~ ' + ' ~ k ~ '.0e0))') -%}
{%- endfor -%}
case when {{ smallest }} < {{ terms }} then {{ _doubled_tail(smallest, p_zero, ratios) }} end
{%- endmacro %}

{#- Doubled smaller tail at `observed` of a distribution on 0, 1, 2 …: `p_zero` is P(0), `ratios[k - 1]` is P(k) / P(k - 1). -#}
{% macro _doubled_tail(observed, p_zero, ratios) -%}
{%- if ratios -%}
least(1e0, 2e0 * least({{ p_zero }} * {{ _partial_sum(observed, ratios, 0) }}, 1e0 - {{ p_zero }} * {{ _partial_sum('(' ~ observed ~ ' - 1)', ratios, 0) }}))
{%- else -%}
least(1e0, 2e0 * {{ p_zero }})
{%- endif -%}
{%- endmacro %}

{% macro _partial_sum(observed, ratios, k) -%}
{%- if k < ratios | length -%}
(case when {{ observed }} < {{ k }} then 0e0 else 1e0 + {{ ratios[k] }} * {{ _partial_sum(observed, ratios, k + 1) }} end)
{%- else -%}
(case when {{ observed }} < {{ k }} then 0e0 else 1e0 end)
{%- endif -%}
{%- endmacro %}

{#- Natural logarithm of n!, n a whole number >= 0: a table to 15, Stirling's series beyond (off by less than 1e-12). -#}
{% macro ln_factorial(n) -%}
{%- set small = ['0', '0', '0.693147180559945', '1.791759469228055', '3.178053830347945', '4.787491742782047', '6.579251212010102', '8.525161361065415',
                 '10.60460290274525', '12.80182748008147', '15.10441257307551', '17.50230784587389', '19.98721449566188', '22.55216385312342', '25.19122118273868', '27.89927138384089'] -%}
case {{ n }}
{%- for logarithm in small %} when {{ loop.index0 }} then {{ logarithm }}e0{% endfor %}
else {{ n }} * ln({{ n }}) - {{ n }} + 0.5e0 * ln({{ n }}) + 0.9189385332046728e0 + (1e0 / 12e0 - (1e0 / 360e0 - 1e0 / 1260e0 / ({{ n }} * 1e0 * {{ n }})) / ({{ n }} * 1e0 * {{ n }})) / {{ n }}
end
{%- endmacro %}

{#-
  What a reader may be told: 1 a rise, -1 a fall, 0 no clear change. A change is called only from |z| >= 3 and p <= 0.05; a null p says
  that the exact test was not needed.
-#}
{% macro change_call(z, p) -%}
case
    when {{ z }} is null then null
    when abs(round({{ z }}, 6)) < 3 then 0
    when round({{ p }}, 6) > 0.05 then 0
    when {{ z }} > 0 then 1
    else -1
end
{%- endmacro %}

{#-
  Scores and money have no exact test, and their z is a normal one only from so many answers (by their effective number) or cases in either
  period: with fewer nothing is called. What is called with nothing changed is measured in docs/statistics.md.
-#}
{% macro least_answers() -%}30{%- endmacro %}

{% macro least_cases() -%}50{%- endmacro %}

{% macro change_call_of_enough(z, is_enough) -%}
case when {{ z }} is null then null when {{ is_enough }} then {{ change_call(z, 'cast(null as double)') }} else 0 end
{%- endmacro %}

{% macro verdict_text(call) -%}
case {{ call }} when 1 then 'rise' when -1 then 'fall' when 0 then 'no clear change' end
{%- endmacro %}
