{#-
  The months in which all that a figure of the flags reads was delivered from the first day to the last, by root: one in which a feed began or
  stopped is none, and neither tested nor part of a baseline (a KPI that was not counted in a month is not asked for). whole_since_no is
  the first month of those that are whole without a gap up to this one.
-#}
with figure_kpi as (
    select distinct
        figure,
        kpi_id
    from {{ ref('integrity_flag_term') }}
),

whole_month as (
    select
        figure_kpi.figure,
        period.root_code,
        period.period_id - 30000000 as month_no
    from figure_kpi
    inner join {{ ref('int_kpi_period') }} as period on figure_kpi.kpi_id = period.kpi_id
    where period.grain_no = 3
    group by figure_kpi.figure, period.root_code, period.period_id
    having min(case when period.is_covered then 1 else 0 end) = 1
),

numbered as (
    select
        whole_month.*,
        month_no - row_number() over (partition by figure, root_code order by month_no) as run_no
    from whole_month
)

select
    figure,
    root_code,
    cast(month_no as integer) as month_no,
    cast(min(month_no) over (partition by figure, root_code, run_no) as integer) as whole_since_no
from numbered
