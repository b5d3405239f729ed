{{ current_state('fraud_payment') }}

select * from current_rows
