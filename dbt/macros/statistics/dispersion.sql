{#-
  Dispersion of a series: Pearson's chi-square over its degrees of freedom, at least 1 (quasi-Poisson, quasi-binomial).

  A stratum is a set of periods that share one rate: a season of a year, by kind of day where periods are days. Of each stratum four
  sums are kept, from which chi-square follows without a second scan, also with single periods left out:
  events = sum of x, exposure = sum of d, squares = sum of x*x/d, and the number of periods.
-#}

{#- Chi-square of one stratum around its own rate; null where nothing (of shares: nothing or everything) happened, so nothing is known. -#}
{% macro pearson_chi_square(events, exposure, squares, is_share) -%}
case
    when {{ events }} > 0 and {{ exposure }} > 0 and not {{ is_share }}
        then greatest(0e0, {{ exposure }} * ({{ squares }} / {{ events }}) - {{ events }})
    when {{ events }} > 0 and {{ events }} < {{ exposure }}
        then greatest(0e0, {{ exposure }} * ({{ squares }} / {{ events }}) - {{ events }}) / (1e0 - {{ events }} / {{ exposure }})
end
{%- endmacro %}

{#- With fewer degrees of freedom than this the history says too little. -#}
{% macro least_degrees_of_freedom() -%}10{%- endmacro %}

{#- From the history without the compared periods, else from all of it, else 1. -#}
{% macro dispersion(chi_square, freedom, all_chi_square, all_freedom) -%}
case
    when {{ freedom }} >= {{ least_degrees_of_freedom() }} then greatest(1e0, {{ six_decimals(chi_square ~ ' / ' ~ freedom) }})
    when {{ all_freedom }} >= {{ least_degrees_of_freedom() }} then greatest(1e0, {{ six_decimals(all_chi_square ~ ' / ' ~ all_freedom) }})
    else 1e0
end
{%- endmacro %}

{#-
  Units of counts (`numerator_unit` of the catalogue) that machines write by the million: no independent events, so that nothing is known of
  their spread but what their history shows. Without it they have neither z nor verdict: at the dispersion of 1 that is assumed elsewhere,
  one in a hundred records fewer was a fall.
-#}
{% macro recorded_units() -%}'record', 'passage'{%- endmacro %}

{#- Half a unit goes up by the same arithmetic on every engine: DuckDB's round looks at the double, Spark's at how it is written. -#}
{% macro six_decimals(number) -%}
floor(({{ number }}) * 1e6 + 0.5e0) / 1e6
{%- endmacro %}
