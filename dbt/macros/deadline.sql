{#- Whether something happened by its deadline; a deadline at midnight names a day and lasts until that day is over. -#}
{% macro is_by(moment, deadline) -%}
coalesce(
            {{ moment }} <= {{ deadline }}
            or (
                {{ deadline }} = cast(cast({{ deadline }} as date) as timestamp)
                and cast({{ moment }} as date) = cast({{ deadline }} as date)
            ),
            false
        )
{%- endmacro %}
