-- Score against stored size: compressed large models and small ones on one axis.
SELECT role, model, capability, data_name, coalesce(role, model) || ', ' || label AS series, compression, sparsity_percent, bits, megabytes, bits_per_weight,
       percent, low_percent, high_percent, run_count, item_count, result_id
FROM named
ORDER BY role_order, model, capability, label DESC, megabytes DESC, variant_id
