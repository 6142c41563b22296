"""The JSON of Azure Media Redactor and Azure Face Detector: reader, writer, time grid and checks."""
