// npm run model: a model's life from the command line.
export {}
