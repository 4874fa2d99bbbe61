-- What one version of a config holds, if it holds a value.
select config_id as id, version, value, sensitive from config_versions where config_id = $1 and version = $2 and op in ('put', 'rollout')
