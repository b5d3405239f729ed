{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_mediation_row', 'int_observation']}) }}
with kpi_row as (
    select *
    from {{ rows_counted('int_mediation_row') }}
),

{{ cells('kpi_row', ['dispute_kind', 'result']) }}

select * from cell
union all
{{ family_cells('mediation', ['int_observation_cell']) }}
