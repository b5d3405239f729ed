{#- The categories that occur in some rows and stand in a versioned list, with the days on which they do; prefixes cover what is below them. -#}
{% macro listed_categories(rows, list_id) -%}
    select distinct
        occurring.category,
        listed.valid_from,
        coalesce(listed.valid_to, {{ last_moment() }}) as valid_to
    from (select distinct category from {{ rows }}) as occurring
    inner join {{ ref('category_list') }} as listed
        on substr(occurring.category, 1, length(listed.category_prefix)) = listed.category_prefix
    where listed.list_id = '{{ list_id }}'
{%- endmacro %}

{#- Whether the category of a row stands in listed_category, a CTE of listed_categories(), on its day. -#}
{% macro is_listed(rows) -%}
exists (
            select 1
            from listed_category
            where
                listed_category.category = {{ rows }}.category
                and {{ rows }}.day >= listed_category.valid_from
                and {{ rows }}.day < listed_category.valid_to
        )
{%- endmacro %}
