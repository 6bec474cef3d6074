"""What analysts write: task.yaml as typed models, the folders it stands in, the SQL templates."""
