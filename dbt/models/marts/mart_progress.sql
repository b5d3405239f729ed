{% set columns = [
    ('stations_due_for_reform', 'REF-1.team_room', 'denominator', ''),
    ('stations_reformed', 'REF-1.team_room', 'numerator', ''),
    ('stations_reformed_share', 'REF-1.team_room', 'value', ''),
    ('labs_of_standard', 'REF-1.lab', 'numerator', ''),
    ('labs_due', 'REF-1.lab', 'denominator', ''),
    ('training_bases_of_standard', 'REF-1.training_base', 'numerator', ''),
    ('training_bases_due', 'REF-1.training_base', 'denominator', ''),
    ('negative_lists', 'REF-1.negative_list', 'numerator', ''),
    ('negative_lists_due', 'REF-1.negative_list', 'denominator', ''),
    ('connected', 'REF-1.connected', 'numerator', ''),
    ('connected_due', 'REF-1.connected', 'denominator', ''),
    ('centres_built', 'REF-1.centre', 'numerator', ''),
    ('centres_due', 'REF-1.centre', 'denominator', ''),
    ('milestones_due', 'PRJ-1', 'denominator', ''),
    ('milestones_on_time', 'PRJ-1', 'numerator', ''),
    ('milestones_on_time_share', 'PRJ-1', 'value', ''),
    ('eligible_for_training', 'TRN-1', 'denominator', ''),
    ('trained', 'TRN-1', 'numerator', ''),
    ('trained_share', 'TRN-1', 'value', ''),
    ('budget_fen', 'FIN-1', 'denominator', ''),
    ('executed_fen', 'FIN-1', 'numerator', ''),
    ('executed_share', 'FIN-1', 'value', ''),
    ('analysis_products', 'ACT-1.products', 'numerator', ''),
    ('stations_awarded', 'ACT-1.awards', 'numerator', ''),
    ('publicity_activities', 'ACT-1.events', 'numerator', ''),
    ('case_points', 'PTS-1', 'value', ''),
    ('congestion_index', 'EXT-1', 'value', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select * from wide
