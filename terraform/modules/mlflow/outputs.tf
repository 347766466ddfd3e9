output "url" {
  value = "https://${local.host}"
}
