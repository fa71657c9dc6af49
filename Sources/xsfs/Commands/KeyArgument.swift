/// The key that an argument names: a slash at its end, as shells complete the name of a directory,
/// means nothing. The root is one slash; what is made of slashes alone stays as it is.
func keyNamed(_ argument: String) -> String {
    guard let end = argument.lastIndex(where: { $0 != "/" }) else { return argument }
    return String(argument[...end])
}
