{#- Every test of every flag, and for those that are raised a sentence: what was counted, against what, what to look at, and what not to conclude. -#}
{% set one_decimal = 'decimal(18, 1)' -%}
with tested as (
    select
        flag_tested.*,
        flag.risk,
        flag.method,
        flag.reference,
        flag.window_months,
        flag.name_zh,
        flag.name_en,
        flag.look_at_zh,
        flag.look_at_en,
        flag.innocent_zh,
        flag.innocent_en,
        flag.not_conclude_zh,
        flag.not_conclude_en,
        dim_unit.unit_name
    from {{ ref('int_flag_tested') }} as flag_tested
    inner join {{ ref('integrity_flag') }} as flag on flag_tested.flag_id = flag.flag_id
    inner join {{ ref('dim_unit') }} as dim_unit on flag_tested.unit_code = dim_unit.unit_code
),

worded as (
    select
        tested.*,
        cast(observed as {{ dbt.type_string() }}) || '/' || cast(trials as {{ dbt.type_string() }}) as counted,
        cast(cast(100 * value as {{ one_decimal }}) as {{ dbt.type_string() }}) || ' %' as percent,
        cast(cast(100 * expected_value as {{ one_decimal }}) as {{ dbt.type_string() }}) || ' %' as expected_percent,
        cast(cast(value as {{ one_decimal }}) as {{ dbt.type_string() }}) as size,
        cast(cast(expected_value as {{ one_decimal }}) as {{ dbt.type_string() }}) as expected_size,
        case
            when p_value < 0.0001 then 'p < 0.0001'
            else 'p = ' || cast(cast(p_value as decimal(9, 4)) as {{ dbt.type_string() }})
        end as p_text
    from tested
),

described as (
    select
        worded.*,
        case
            when method in ('digits', 'regular') then '卡方 ' || size || '，平均应为 ' || expected_size
            when method = 'count' then counted || ' 天，参照应为 ' || cast(cast(expected as {{ one_decimal }}) as {{ dbt.type_string() }})
            when method in ('gap', 'change') then '相差 ' || percent || '（百分点）'
            else counted || '（' || percent || '），参照 ' || expected_percent
        end as figure_zh,
        case
            when method in ('digits', 'regular') then 'chi-square ' || size || ', ' || expected_size || ' on average'
            when method = 'count' then counted || ' days, ' || cast(cast(expected as {{ one_decimal }}) as {{ dbt.type_string() }}) || ' expected'
            when method in ('gap', 'change') then 'a gap of ' || percent || ' (points)'
            else counted || ' (' || percent || '), ' || expected_percent || ' expected'
        end as figure_en
    from worded
)

select
    flag_id,
    risk,
    unit_code,
    unit_name,
    unit_level,
    grain,
    period_start,
    period_end,
    window_months,
    observed,
    trials,
    expected,
    value,
    expected_value,
    lower_limit,
    upper_limit,
    dispersion,
    compared_with,
    statistic,
    p_value,
    q_value,
    cast(threshold as double) as threshold,
    is_flagged,
    is_called,
    case
        when is_flagged
            then name_zh || '：' || figure_zh || '，' || p_text || '。可查：' || look_at_zh || '。也可能是：' || innocent_zh || '。' || not_conclude_zh
    end as finding_zh,
    case
        when is_flagged
            then name_en || ': ' || figure_en || ', ' || p_text || '. Look at: ' || look_at_en || '. It may be: ' || innocent_en || '. ' || not_conclude_en
    end as finding_en
from described
