{#- The history of division codes: from which revision to which one a code carried a name, per publishing register. -#}
with revision as (
    select
        register,
        revised_on,
        lead(revised_on) over (partition by register order by revised_on) as replaced_on,
        row_number() over (partition by register order by revised_on) as revision_number
    from (select distinct register, revised_on from {{ ref('stg_region') }}) as published
),

listed_code as (
    select
        region.register,
        region.region_code,
        region.region_name,
        revision.revised_on,
        revision.replaced_on,
        revision.revision_number - row_number() over (
            partition by region.register, region.region_code, region.region_name order by revision.revision_number
        ) as unbroken_run
    from {{ ref('stg_region') }} as region
    inner join revision on region.register = revision.register and region.revised_on = revision.revised_on
)

select
    register,
    region_code,
    region_name,
    min(revised_on) as valid_from,
    case when count(replaced_on) = count(*) then max(replaced_on) end as valid_to,
    count(*) as revisions
from listed_code
group by register, region_code, region_name, unbroken_run
