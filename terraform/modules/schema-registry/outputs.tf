output "url" {
  value = "https://${local.host}${local.path}"
}
