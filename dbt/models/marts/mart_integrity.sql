{#-
  The figures of recording integrity by unit and period, with the flags of the periods that end in it and, in words, those that were raised.
  Null where nothing was tested. Nothing here is about a person, and clearance is not ranked.
-#}
with {{ wide_mart([
    ('early_cleared', 'INT-1.quick', 'numerator', ''),
    ('early_cleared_of', 'INT-1.quick', 'denominator', ''),
    ('early_cleared_share', 'INT-1.quick', 'value', ''),
    ('before_filing', 'INT-1.before', 'numerator', ''),
    ('before_filing_of', 'INT-1.before', 'denominator', ''),
    ('before_filing_share', 'INT-1.before', 'value', ''),
    ('downgraded', 'INT-3.down', 'numerator', ''),
    ('downgraded_of', 'INT-3.down', 'denominator', ''),
    ('downgraded_share', 'INT-3.down', 'value', ''),
    ('changed_late', 'INT-3.late', 'numerator', ''),
    ('changed_late_of', 'INT-3.late', 'denominator', ''),
    ('changed_late_share', 'INT-3.late', 'value', ''),
    ('reopened', 'INT-3.reopened', 'numerator', ''),
    ('reopened_of', 'INT-3.reopened', 'denominator', ''),
    ('reopened_share', 'INT-3.reopened', 'value', ''),
    ('invalid', 'INT-4.invalid', 'numerator', ''),
    ('invalid_of', 'INT-4.invalid', 'denominator', ''),
    ('invalid_share', 'INT-4.invalid', 'value', ''),
    ('deleted', 'INT-4.deleted', 'numerator', ''),
    ('deleted_of', 'INT-4.deleted', 'denominator', ''),
    ('deleted_share', 'INT-4.deleted', 'value', ''),
    ('withdrawn', 'INT-4.withdrawn', 'numerator', ''),
    ('withdrawn_of', 'INT-4.withdrawn', 'denominator', ''),
    ('withdrawn_share', 'INT-4.withdrawn', 'value', ''),
    ('called_back', 'INT-5.coverage', 'numerator', ''),
    ('called_back_of', 'INT-5.coverage', 'denominator', ''),
    ('called_back_share', 'INT-5.coverage', 'value', ''),
    ('without_phone', 'INT-5.no_phone', 'numerator', ''),
    ('without_phone_of', 'INT-5.no_phone', 'denominator', ''),
    ('without_phone_share', 'INT-5.no_phone', 'value', ''),
    ('satisfied_at_first', 'INT-5.first', 'numerator', ''),
    ('satisfied_at_first_of', 'INT-5.first', 'denominator', ''),
    ('satisfied_at_first_share', 'INT-5.first', 'value', ''),
    ('quota_months', 'INT-6.quota', 'numerator', ''),
    ('quota_months_of', 'INT-6.quota', 'denominator', ''),
    ('quota_months_share', 'INT-6.quota', 'value', ''),
    ('split_cases', 'INT-7.cluster', 'numerator', ''),
    ('split_cases_of', 'INT-7.cluster', 'denominator', ''),
    ('split_cases_share', 'INT-7.cluster', 'value', ''),
    ('further_cases', 'INT-7.per_incident', 'numerator', ''),
    ('further_cases_of', 'INT-7.per_incident', 'denominator', ''),
    ('further_cases_share', 'INT-7.per_incident', 'value', ''),
    ('round_arrivals', 'INT-8.heap', 'numerator', ''),
    ('round_arrivals_of', 'INT-8.heap', 'denominator', ''),
    ('round_arrivals_share', 'INT-8.heap', 'value', ''),
    ('covered_converted_share', 'INT-5.coverage', 'value', 'outcome:case'),
    ('covered_unconverted_share', 'INT-5.coverage', 'value', 'outcome:no_case'),
    ('satisfied_first_attempt_share', 'INT-5.first', 'value', 'attempt:first'),
    ('satisfied_later_attempt_share', 'INT-5.first', 'value', 'attempt:later'),
]) }},

counted as (
    select
        wide.unit_code,
        wide.grain,
        wide.period_start,
        wide.period_end,
        cast(count(*) as integer) as flags_tested,
        cast(sum(case when finding.is_flagged then 1 else 0 end) as integer) as flags_raised,
        cast(sum(case when finding.is_called then 1 else 0 end) as integer) as flags_called
        {%- for risk in integrity_risks() %},
        cast(sum(case when finding.risk = '{{ risk }}' then case when finding.is_flagged then 1 else 0 end end) as integer) as {{ risk }}_flags
        {%- endfor %}
    from wide
    inner join {{ ref('integrity_finding') }} as finding
        on wide.unit_code = finding.unit_code and finding.period_end between wide.period_start and wide.period_end
    group by wide.unit_code, wide.grain, wide.period_start, wide.period_end
),

{#- The words of each flag that was raised, as it stood last. #}
raised as (
    select
        wide.unit_code,
        wide.grain,
        wide.period_start,
        wide.period_end,
        finding.flag_id,
        finding.finding_zh,
        finding.finding_en,
        row_number() over (
            partition by wide.unit_code, wide.grain, wide.period_start, wide.period_end, finding.flag_id
            order by finding.period_end desc
        ) as place
    from wide
    inner join {{ ref('integrity_finding') }} as finding
        on wide.unit_code = finding.unit_code and finding.period_end between wide.period_start and wide.period_end
    where finding.is_flagged
),

worded as (
    select
        unit_code,
        grain,
        period_start,
        period_end
        {%- for language in ['zh', 'en'] %},
        nullif(trim(
            {%- for flag in integrity_flags() %}
            {% if not loop.first %}|| {% endif %}coalesce(max(case when flag_id = '{{ flag }}' then finding_{{ language }} || ' ' end), '')
            {%- endfor %}
        ), '') as finding_{{ language }}
        {%- endfor %}
    from raised
    where place = 1
    group by unit_code, grain, period_start, period_end
)

select
    wide.*,
    counted.flags_tested,
    counted.flags_raised,
    counted.flags_called,
    {%- for risk in integrity_risks() %}
    counted.{{ risk }}_flags,
    {%- endfor %}
    worded.finding_zh,
    worded.finding_en
from wide
{%- for told in ['counted', 'worded'] %}
left join {{ told }}
    on
        wide.unit_code = {{ told }}.unit_code
        and wide.grain = {{ told }}.grain
        and wide.period_start = {{ told }}.period_start
        and wide.period_end = {{ told }}.period_end
{%- endfor %}
