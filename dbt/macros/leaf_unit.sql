{#- The unit that owns a row: the leaf that its unit code meant on its day, else 未归属 under the root of its group. -#}
{% macro join_leaf_unit(rows, unit_code='unit_code', day='day', alias='assignment') -%}
    left join {{ ref('int_unit_assignment') }} as {{ alias }}
        on
            {{ rows }}.group_name = {{ alias }}.group_name
            and {{ rows }}.{{ unit_code }} = {{ alias }}.unit_code
            and {{ rows }}.{{ day }} >= {{ alias }}.valid_from
            and {{ rows }}.{{ day }} < {{ alias }}.valid_to
{%- endmacro %}

{% macro join_group_root(rows) -%}
    inner join {{ ref('int_group_root') }} as group_root on {{ rows }}.group_name = group_root.group_name
{%- endmacro %}

{% macro leaf_unit(alias='assignment') -%}
    coalesce({{ alias }}.leaf_code, group_root.root_code || '.unassigned')
{%- endmacro %}
