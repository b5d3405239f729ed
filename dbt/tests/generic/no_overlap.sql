{#- Validity ranges of one key that overlap; an open end is null. -#}
{% test no_overlap(model, key) %}
select *
from (
    select
        {{ key | join(', ') }},
        valid_from,
        valid_to,
        lead(valid_from) over (partition by {{ key | join(', ') }} order by valid_from) as next_from
    from {{ model }}
) as ranged
where next_from < coalesce(valid_to, {{ last_moment() }})
{% endtest %}
