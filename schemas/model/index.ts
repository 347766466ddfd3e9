// What must a model's folder say before it may score vectors? The door to the model's contract.
export {}
