{#-
  Tail probabilities, as portable SQL expressions (ln, exp, sqrt and arithmetic only). Arguments stand many times in what comes out: give
  columns, not expressions.
-#}

{#- P(Z >= z) of the standard normal distribution, to 15 digits (Hart, Computer Approximations (1968), as arranged by West, Wilmott (2005) 70). -#}
{% macro normal_upper_tail(z) -%}
{%- set above = ['0.700383064443688', '6.37396220353165', '33.912866078383', '112.079291497871', '221.213596169931', '220.206867912376'] -%}
{%- set below = ['1.75566716318264', '16.064177579207', '86.7807322029461', '296.564248779674', '637.333633378831', '793.826512519948', '440.413735824752'] -%}
{%- set size = 'abs(' ~ z ~ ')' -%}
(case when {{ z }} < 0 then 1e0 else 0e0 end + case when {{ z }} < 0 then -1e0 else 1e0 end * case
    when {{ size }} > 37 then 0e0
    when {{ size }} < 7.07106781186547 then exp(-0.5e0 * {{ z }} * {{ z }}) * {{ _polynomial('3.52624965998911e-02', above, size) }} / {{ _polynomial('8.83883476483184e-02', below, size) }}
    else exp(-0.5e0 * {{ z }} * {{ z }}) / ({{ size }} + 1e0 / ({{ size }} + 2e0 / ({{ size }} + 3e0 / ({{ size }} + 4e0 / ({{ size }} + 0.65e0))))) / 2.506628274631e0
end)
{%- endmacro %}

{% macro _polynomial(leading, others, x) -%}
{%- set nested = [leading] -%}
{%- for coefficient in others -%}
    {%- do nested.append('(' ~ nested[-1] ~ ' * ' ~ x ~ ' + ' ~ coefficient ~ 'e0)') -%}
{%- endfor -%}
{{ nested[-1] }}
{%- endmacro %}

{#-
  The standard normal score with the same tail as Student's t with so many degrees of freedom (Hill, Comm. ACM 13 (1970) 617): off by
  less than 0.001 from 4 degrees of freedom on, for |t| up to 10.
-#}
{% macro student_score(t, freedom) -%}
{%- set a = '(' ~ freedom ~ ' - 0.5e0)' -%}
{%- set b = '(48e0 * ' ~ a ~ ' * ' ~ a ~ ')' -%}
{%- set y = '(' ~ a ~ ' * ln(1e0 + ' ~ t ~ ' * ' ~ t ~ ' / ' ~ freedom ~ '))' -%}
(case when {{ t }} < 0 then -1e0 else 1e0 end * sqrt({{ y }})
    * ((((((-0.4e0 * {{ y }} - 3.3e0) * {{ y }} - 24e0) * {{ y }} - 85.5e0) / (0.8e0 * {{ y }} * {{ y }} + 100e0 + {{ b }}) + {{ y }} + 3e0) / {{ b }}) + 1e0))
{%- endmacro %}

{#- P(X >= x) of chi-square with an odd number of degrees of freedom: the sum that it is. `root` is the square root of x. -#}
{% macro chi_square_upper_tail(x, root, freedom) -%}
{%- set terms = [] -%}
{%- set term = [root] -%}
{%- for odd in range(1, freedom - 1, 2) -%}
    {%- if odd > 1 -%}{%- do term.append(term[-1] ~ ' * ' ~ x ~ ' / ' ~ odd ~ 'e0') -%}{%- endif -%}
    {%- do terms.append(term[-1]) -%}
{%- endfor -%}
(2e0 * {{ normal_upper_tail(root) }} + 0.7978845608028654e0 * exp(-0.5e0 * {{ x }}) * ({{ terms | join(' + ') }}))
{%- endmacro %}

{#-
  Exact upper tails, P(X >= observed), summed outwards over so many terms: enough for
  counts above their mean where the standard deviation is at most a fifth of the terms.
  Lower tails are upper tails of what did not happen.
-#}

{#- Of so many trials, each with this probability, strictly between 0 and 1. -#}
{% macro binomial_upper_tail(observed, trials, probability, terms) -%}
{%- set ratios = [] -%}
{%- for k in range(1, terms) -%}
    {%- do ratios.append('(' ~ trials ~ ' - ' ~ observed ~ ' - ' ~ (k - 1) ~ 'e0) / (' ~ observed ~ ' + ' ~ k ~ 'e0) * ' ~ probability ~ ' / (1e0 - ' ~ probability ~ ')') -%}
{%- endfor -%}
case when {{ observed }} <= 0 then 1e0 else least(1e0, exp(
    {{ ln_factorial(trials) }} - {{ ln_factorial(observed) }} - {{ ln_factorial('(' ~ trials ~ ' - ' ~ observed ~ ')') }}
    + {{ observed }} * ln({{ probability }}) + ({{ trials }} - {{ observed }}) * ln(1e0 - {{ probability }})
) * {{ _outward_sum(ratios) }}) end
{%- endmacro %}

{#- Of so many drawn out of all, among which so many are marked (Fisher's exact test, one-sided). -#}
{% macro hypergeometric_upper_tail(observed, drawn, marked, all, terms) -%}
{%- set rest = '(' ~ all ~ ' - ' ~ marked ~ ' - ' ~ drawn ~ ' + ' ~ observed ~ ')' -%}
{%- set ratios = [] -%}
{%- for k in range(1, terms) -%}
    {%- do ratios.append('(' ~ marked ~ ' - ' ~ observed ~ ' - ' ~ (k - 1) ~ 'e0) * (' ~ drawn ~ ' - ' ~ observed ~ ' - ' ~ (k - 1) ~ 'e0) / ((' ~ observed ~ ' + ' ~ k ~ 'e0) * (' ~ rest ~ ' + ' ~ k ~ 'e0))') -%}
{%- endfor -%}
case when {{ observed }} <= 0 then 1e0 else least(1e0, exp(
    {{ ln_factorial(marked) }} - {{ ln_factorial(observed) }} - {{ ln_factorial('(' ~ marked ~ ' - ' ~ observed ~ ')') }}
    + {{ ln_factorial('(' ~ all ~ ' - ' ~ marked ~ ')') }} - {{ ln_factorial('(' ~ drawn ~ ' - ' ~ observed ~ ')') }} - {{ ln_factorial(rest) }}
    - {{ ln_factorial(all) }} + {{ ln_factorial(drawn) }} + {{ ln_factorial('(' ~ all ~ ' - ' ~ drawn ~ ')') }}
) * {{ _outward_sum(ratios) }}) end
{%- endmacro %}

{#- 1 + r1 (1 + r2 (1 + ...)), in blocks, so that parentheses are not nested as deep as there are terms. -#}
{% macro _outward_sum(ratios) -%}
{%- set length = 8 -%}
{%- set sum = ['1e0'] -%}
{%- for block in ratios | batch(length) | list | reverse -%}
    {%- set within = ['1e0'] -%}
    {%- for ratio in block[:-1] | reverse -%}
        {%- do within.append('(1e0 + ' ~ ratio ~ ' * ' ~ within[-1] ~ ')') -%}
    {%- endfor -%}
    {%- do sum.append('(' ~ within[-1] ~ ' + ' ~ block | join(' * ') ~ ' * ' ~ sum[-1] ~ ')') -%}
{%- endfor -%}
{{ sum[-1] }}
{%- endmacro %}
