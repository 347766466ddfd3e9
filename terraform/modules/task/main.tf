# What does one of our programs get to run with, and what may it do? Its own role, and no more.

locals {
  full_name = "${var.placement.name}-${var.name}"
  folder    = "/run/churnstream"

  # Fargate counts 1024 units a processor.
  cpu = floor(var.cpu_millis * 1024 / 1000)

  # A secret is named by its ARN, with the field of its JSON behind it.
  all_secrets = merge(var.secrets, var.secret_files)
  secret_arns = distinct([
    for reference in values(local.all_secrets) : join(":", slice(split(":", reference), 0, 7))
  ])

  environment = merge(
    { AWS_REGION = var.placement.region, AWS_DEFAULT_REGION = var.placement.region },
    var.environment,
    { for name in keys(var.secret_files) : "${name}_FILE" => "${local.folder}/${name}" },
  )

  logs = {
    logDriver = "awslogs"
    options = {
      awslogs-region        = var.placement.region
      awslogs-group         = aws_cloudwatch_log_group.this.name
      awslogs-stream-prefix = var.name
      mode                  = "non-blocking"
      max-buffer-size       = "16m"
    }
  }

  mounts = [
    { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
    { sourceVolume = "files", containerPath = local.folder, readOnly = true },
  ]

  prepare = {
    name                   = "prepare"
    image                  = var.placement.prepare_image
    essential              = false
    user                   = "0"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"], add = [] } }
    entryPoint             = ["node"]
    command                = ["-e", file("${path.module}/prepare.cjs"), "/tmp", local.folder]
    environment            = [for name, content in var.files : { name = "FILE_${name}", value = content }]
    secrets                = [for name, reference in var.secret_files : { name = "FILE_${name}", valueFrom = reference }]
    mountPoints            = [for mount in local.mounts : merge(mount, { readOnly = false })]
    logConfiguration       = local.logs
  }

  of_image = {
    image                  = var.image
    user                   = var.user
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"], add = [] } }
    environment            = [for name, value in local.environment : { name = name, value = value }]
    secrets                = [for name, reference in var.secrets : { name = name, valueFrom = reference }]
    mountPoints            = local.mounts
    logConfiguration       = local.logs
    stopTimeout            = var.stop_seconds
  }

  after_prepare = [{ containerName = "prepare", condition = "SUCCESS" }]
  before = var.before == null ? [] : [merge(local.of_image, {
    name      = "before"
    essential = false
    command   = var.before
    dependsOn = local.after_prepare
  })]
  after_before = concat(local.after_prepare, [
    for container in local.before : { containerName = container.name, condition = "SUCCESS" }
  ])
  # What is null is left out: ECS would return the definition without it, and the plan never end.
  main = merge(
    local.of_image,
    {
      name         = var.name
      essential    = true
      dependsOn    = local.after_before
      portMappings = var.port == null ? [] : [{ containerPort = var.port, protocol = "tcp" }]
    },
    { for key, value in { command = var.command, entryPoint = var.entry_point } : key => value if value != null },
    var.health_command == null ? {} : {
      healthCheck = { command = var.health_command, interval = 15, timeout = 5, retries = 4, startPeriod = 120 }
    },
  )
  beside = [
    for name, command in var.beside : merge(local.of_image, {
      name      = name
      essential = true
      command   = command
      dependsOn = local.after_before
    })
  ]
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.placement.name}/${var.name}"
  retention_in_days = var.placement.log_retention_days
  kms_key_id        = var.placement.kms_key_arn
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.full_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = tostring(local.cpu)
  memory                   = tostring(var.memory_mb)
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn

  container_definitions = jsonencode(concat([local.prepare], local.before, [local.main], local.beside))

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  volume {
    name = "tmp"
  }

  volume {
    name = "files"
  }
}
